"""A container with too little memory, or too few processes, says so before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ray.exceptions import OutOfMemoryError
from ray.serve._private import api

from rllib_citylearn.errors import ConfigError, UserError
from rllib_citylearn.limits import memory_limit, task_limit
from serve import launch
from serve.room import require_room


@pytest.mark.parametrize(
    ("second", "first", "limit"),
    [("536870912\n", None, 2**29), (None, "536870912\n", 2**29), ("max\n", None, None), (None, None, None)],
)
@pytest.mark.parametrize(
    ("read", "of_second", "of_first"),
    [(memory_limit, "memory.max", "memory/memory.limit_in_bytes"), (task_limit, "pids.max", "pids/pids.max")],
)
def test_the_limit_is_that_of_either_version(
    tmp_path: Path,
    read: Callable[[Path], int | None],
    of_second: str,
    of_first: str,
    second: str | None,
    first: str | None,
    limit: int | None,
) -> None:
    for file, text in ((of_second, second), (of_first, first)):
        if text is not None:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text)
    assert read(tmp_path) == limit


@pytest.mark.parametrize("mebibytes", [128, 512, 768])
def test_too_little_memory_is_said_with_what_to_give(mebibytes: int) -> None:
    with pytest.raises(ConfigError, match=rf"limit is {mebibytes} MiB.*give 1\.5 GiB"):
        require_room(mebibytes * 2**20, None)


@pytest.mark.parametrize("tasks", [64, 256])
def test_too_few_processes_are_said_with_what_to_allow(tasks: int) -> None:
    with pytest.raises(ConfigError, match=rf"more than {tasks} processes.*allow 1024"):
        require_room(None, tasks)


@pytest.mark.parametrize("memory", [None, 1536 * 2**20, 2**63 - 4096])
@pytest.mark.parametrize("tasks", [None, 1024])
def test_enough_or_no_limit_is_let_pass(memory: int | None, tasks: int | None) -> None:
    require_room(memory, tasks)


def test_a_process_that_ray_ended_for_lack_of_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(**_: object) -> None:
        raise OutOfMemoryError("Task was killed due to the node running low on memory.\nRefer to the documentation.")

    class NoSignals:
        def listen(self) -> None: ...

    monkeypatch.setattr(launch, "start_local_ray", lambda *_, **__: None)
    monkeypatch.setattr(api, "serve_start", out_of_memory)
    with pytest.raises(UserError, match=r"for lack of memory; give it 1\.5 GiB"):
        launch._start("127.0.0.1", 8000, NoSignals())  # type: ignore[arg-type]
