"""A container with too little memory says so before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray.exceptions import OutOfMemoryError
from ray.serve._private import api

from rllib_citylearn.errors import ConfigError, UserError
from serve import launch
from serve.room import memory_limit, require_memory


@pytest.mark.parametrize(
    ("second", "first", "limit"),
    [("536870912\n", None, 2**29), (None, "536870912\n", 2**29), ("max\n", None, None), (None, None, None)],
)
def test_the_limit_is_that_of_either_version(
    tmp_path: Path, second: str | None, first: str | None, limit: int | None
) -> None:
    files = (tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes")
    for file, text in zip(files, (second, first), strict=True):
        if text is not None:
            file.write_text(text)
    assert memory_limit(files) == limit


@pytest.mark.parametrize("mebibytes", [128, 512, 768])
def test_too_little_is_said_with_what_to_give(mebibytes: int) -> None:
    with pytest.raises(ConfigError, match=rf"limit is {mebibytes} MiB.*give 1\.5 GiB"):
        require_memory(mebibytes * 2**20)


@pytest.mark.parametrize("limit", [None, 1536 * 2**20, 2**63 - 4096])
def test_enough_or_no_limit_is_let_pass(limit: int | None) -> None:
    require_memory(limit)


def test_a_process_that_ray_ended_for_lack_of_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(**_: object) -> None:
        raise OutOfMemoryError("Task was killed due to the node running low on memory.\nRefer to the documentation.")

    class NoSignals:
        def listen(self) -> None: ...

    monkeypatch.setattr(launch, "start_local_ray", lambda *_, **__: None)
    monkeypatch.setattr(api, "serve_start", out_of_memory)
    with pytest.raises(UserError, match=r"for lack of memory; give it 1\.5 GiB"):
        launch._start("127.0.0.1", 8000, NoSignals())  # type: ignore[arg-type]
