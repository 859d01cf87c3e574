"""Where runs keep their checkpoints: never in another's place, and always found again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.algorithm.progress import Progress
from rllib_citylearn.cli.cluster_options import keep, new_folder, recalled, storage_of
from rllib_citylearn.cluster import stored
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.export.checkpoint import CHECKSUMS, RUN, _checksum_lines
from rllib_citylearn.tuning.one_run import fetch_last


def args(folder: Path, **given: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{"name": "a", "runs": folder / "runs", "storage": str(folder / "st"), "go_on": False, **given}
    )


def test_an_endpoint_in_an_address_stays_at_its_end() -> None:
    assert stored.join("s3://bucket/x?endpoint_override=http://minio:9000", "a", "b") == (
        "s3://bucket/x/a/b?endpoint_override=http://minio:9000"
    )
    assert stored.join("/odd?path/", "a") == "/odd?path/a"


def test_a_run_takes_no_place_that_another_has(tmp_path: Path) -> None:
    begun = new_folder(args(tmp_path), "x", RUN)
    keep({"one": 1}, RUN, begun, str(storage_of(args(tmp_path), begun, RUN)))
    with pytest.raises(ConfigError, match="--resume"):
        new_folder(args(tmp_path), "x", RUN)
    elsewhere = args(tmp_path, runs=tmp_path / "other")
    with pytest.raises(ConfigError, match="--continue"):
        new_folder(elsewhere, "x", RUN)


def test_what_failed_before_it_began_may_begin(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    with pytest.raises(ConfigError, match="There is something at"):
        new_folder(args(tmp_path), "x", RUN)
    again = args(tmp_path, go_on=True)
    assert recalled(again, RUN) is None
    assert new_folder(again, "x", RUN) == tmp_path / "runs" / "a"


def test_a_run_is_recalled_from_its_storage_by_another_machine(tmp_path: Path) -> None:
    first = new_folder(args(tmp_path), "x", RUN)
    storage = storage_of(args(tmp_path), first, RUN)
    keep({"one": 1}, RUN, first, str(storage))
    other = args(tmp_path, runs=tmp_path / "other", go_on=True)
    folder = recalled(other, RUN)
    assert folder == tmp_path / "other" / "a"
    assert storage_of(args(tmp_path, storage=None), folder, RUN) == storage
    with pytest.raises(ConfigError, match="leave it out"):
        storage_of(args(tmp_path, storage=str(tmp_path / "third")), folder, RUN)


def test_a_run_in_its_folder_may_be_moved(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    keep({}, RUN, folder, str(folder.resolve()))
    folder.rename(tmp_path / "moved")
    assert storage_of(args(tmp_path, storage=None), tmp_path / "moved", RUN) == str((tmp_path / "moved").resolve())


def checkpoint(folder: Path, seconds: float) -> None:
    """What ``fetch_last`` looks at, and a file of the policy."""
    last = folder / "last"
    last.mkdir(parents=True)
    (last / "rllib_checkpoint.json").write_text("{}")
    (last / "weights").write_bytes(bytes(100))
    (last / RUN).write_text(json.dumps({"progress": Progress(seconds=seconds).to_dict()}))
    (last / CHECKSUMS).write_text(_checksum_lines(last))
    (folder / "progress.csv").write_text("")


def seconds_of(folder: Path) -> float:
    return float(json.loads((folder / "last" / RUN).read_text())["progress"]["seconds"])


def test_the_newest_whole_checkpoint_is_fetched_whichever_start_wrote_it(tmp_path: Path) -> None:
    storage, folder = tmp_path / "st", tmp_path / "run"
    folder.mkdir()
    assert fetch_last(str(storage), folder) is None
    for start, number, seconds in ((0, 3, 10.0), (1, 0, 20.0), (1, 1, 30.0)):
        checkpoint(storage / f"start-{start:03d}" / "run" / f"checkpoint_{number:06d}", seconds)
    (storage / "start-001" / "run" / "checkpoint_000001" / "last" / "weights").write_bytes(b"cut")
    place = fetch_last(str(storage), folder)
    assert place == str(storage / "start-001" / "run" / "checkpoint_000000")
    assert seconds_of(folder) == 20.0
    assert not (folder / ".fetched").exists()


def test_a_later_checkpoint_on_this_machine_is_not_overwritten(tmp_path: Path) -> None:
    checkpoint(tmp_path / "st" / "start-000" / "run" / "checkpoint_000000", 10.0)
    checkpoint(tmp_path / "run", 40.0)
    assert fetch_last(str(tmp_path / "st"), tmp_path / "run") is not None
    assert seconds_of(tmp_path / "run") == 40.0
