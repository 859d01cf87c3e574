"""Places that can't be written or read: a sentence from every command, before the work is done, and nothing harmed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.cli import datasets_make
from rllib_citylearn.cli.main import main
from rllib_citylearn.datasets import folder_sha256, resolve
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.errors import ConfigError, DatasetError
from rllib_citylearn.files import new_directory

TINY = ("--buildings", "1", "--days", "2")


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    return make_community(SyntheticSpec(buildings=1, days=2), tmp_path / "homes")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Calls a command that is refused and gives what it says: one line."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main(["datasets", *map(str, arguments)]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1, text
        return text

    return call


@pytest.mark.parametrize(
    "out", ["/proc/x", "fifo/x", "fifo", "n" * 300, "n" * 250, "a\0b", "link", "dangling"], ids=lambda out: out[:9]
)
@pytest.mark.parametrize("command", ["synthesize", "add-vehicles"])
def test_targets_that_can_not_be_made(homes: Path, said: Callable[..., str], out: str, command: str) -> None:
    parent = homes.parent
    before = folder_sha256(homes)
    os.mkfifo(parent / "fifo")  # as a device, and no harm if it is replaced
    (parent / "link").symlink_to(homes)
    (parent / "dangling").symlink_to(parent / "nothing")
    first = [command, *TINY] if command == "synthesize" else [command, homes]
    text = said(*first, "--out", parent / out, "--force")
    assert "can't be written" in text or "choose" in text or "give" in text
    assert folder_sha256(homes) == before
    assert sorted(path.name for path in parent.iterdir()) == ["dangling", "fifo", "homes", "link"]
    assert (parent / "link").is_symlink()


def test_a_parent_that_is_write_protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rllib_citylearn.files.tempfile.mkdtemp", refuse)
    with pytest.raises(DatasetError, match=r"can't be written \(Permission denied\)"):
        make_community(SyntheticSpec(buildings=1, days=2), tmp_path / "out")


@pytest.mark.parametrize("target", [".", "/proc/x", "fifo", "fifo/x", "n" * 300, "a\0b"], ids=lambda out: out[:9])
def test_a_result_file_is_checked_before_the_work(tmp_path: Path, said: Callable[..., str], target: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    text = said("synthesize", *TINY, "--out", tmp_path / "out", "--json", tmp_path / target)
    assert "--json is" in text
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]


def test_a_result_file_in_a_new_folder_is_written(tmp_path: Path) -> None:
    assert main(["datasets", "list", "--json", str(tmp_path / "a" / "b.json")]) == 0
    assert (tmp_path / "a" / "b.json").is_file()


def test_csv_files_that_are_none(homes: Path, said: Callable[..., str]) -> None:
    (homes / "loop.csv").symlink_to(homes / "loop.csv")
    (homes / "folder.csv").mkdir()
    assert resolve(homes).name == "homes"
    (homes / "Building_1.csv").unlink()
    (homes / "Building_1.csv").mkdir()
    with pytest.raises(DatasetError, match=r"names Building_1\.csv for Building_1, but there is no such file"):
        resolve(homes)
    assert "no such file" in said("fetch", homes)


def test_a_name_that_is_not_utf8(homes: Path) -> None:
    (homes / os.fsdecode(b"\xff.txt")).touch()
    with pytest.raises(DatasetError, match="not UTF-8"):
        resolve(homes)


@pytest.mark.parametrize("name", ["weather.csv", "synthetic.json"])
def test_files_that_may_not_be_read(homes: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    opened = Path.open

    def refuse(self: Path, *args: Any, **options: Any) -> Any:
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DatasetError, match=rf"{name} can't be read"):
        resolve(homes)


def test_folders_that_may_not_be_looked_into(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(DatasetError, match=r"can't be looked into \(Permission denied\)"):
        resolve(homes)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "~nobody-of-this-name/x"], ids=lambda name: name[:5])
def test_names_that_no_folder_has(name: str) -> None:
    with pytest.raises(DatasetError, match=r"can't be looked into|does not exist"):
        resolve(name)


def test_a_spec_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        datasets_make._read_spec(tmp_path / "spec.json")


def test_describe_points_to_the_check(homes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = homes / "weather.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], ",".join(["nan"] * (lines[0].count(",") + 1)), *lines[2:], ""]))
    assert main(["datasets", "describe", str(homes)]) == 1
    assert f"run `rllib-citylearn datasets check {homes}`" in capsys.readouterr().out


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time; from rllib_citylearn.files import new_directory;"
        "made = new_directory(pathlib.Path(sys.argv[1])); folder = made.__enter__();"
        "(folder / 'half').write_text('1'); print(folder, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "d")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    (tmp_path / ".d.settings").mkdir()
    with new_directory(tmp_path / "d") as folder:
        assert folder != left
    assert (left / "half").is_file()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert (left / "half").is_file()
    with new_directory(tmp_path / "d"):
        assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".d.settings", "d"]
