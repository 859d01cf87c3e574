"""Files are whole or not there, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rllib_citylearn.files import new_directory, write_json, write_text


def test_a_directory_appears_whole_and_replaces_the_old_one(tmp_path: Path):
    for text in ("one", "two"):
        with new_directory(tmp_path / "d") as folder:
            (folder / "f").write_text(text)
            assert not (tmp_path / "d" / "g").exists()
        assert (tmp_path / "d" / "f").read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def replace_half_way(path: Path) -> Callable[[], None]:
    """A function that begins to replace a directory and is interrupted."""

    def replace() -> None:
        with new_directory(path) as folder:
            (folder / "f").write_text("half")
            raise KeyboardInterrupt

    return replace


def test_a_failure_leaves_the_old_directory_and_nothing_else(tmp_path: Path):
    with new_directory(tmp_path / "d") as folder:
        (folder / "f").write_text("old")
    interrupted = replace_half_way(tmp_path / "d")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "d" / "f").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_rename_that_fails_brings_the_old_directory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with new_directory(tmp_path / "d") as folder:
        (folder / "f").write_text("old")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if Path(target) == tmp_path / "d" and (self / "f").read_text() == "new":
            raise OSError("no space left")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no space"), new_directory(tmp_path / "d") as folder:
        (folder / "f").write_text("new")
    assert (tmp_path / "d" / "f").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_directory_is_made_within_one_that_is_being_made(tmp_path: Path):
    with new_directory(tmp_path / "outer") as outer:
        with new_directory(outer / "inner") as inner:
            (inner / "f").write_text("whole")
        interrupted = replace_half_way(outer / "inner")
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    assert (tmp_path / "outer" / "inner" / "f").read_text() == "whole"
    assert [p.name for p in (tmp_path / "outer").iterdir()] == ["inner"]


def test_json_has_no_word_for_nan(tmp_path: Path):
    write_text(tmp_path / "a.json", "before")
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert (tmp_path / "a.json").read_text() == "before"
