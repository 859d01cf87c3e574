"""A run's storage: what is put there comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from rllib_citylearn.cluster import stored


@pytest.fixture(params=["path", "uri"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    there = tmp_path / "there"
    return str(there) if request.param == "path" else there.as_uri()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_folders_and_files_come_back_as_they_were(place: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "deep" / "er").mkdir(parents=True)
    (own / "a").write_bytes(b"1")
    (own / "deep" / "er" / "b").write_bytes(b"2")
    stored.upload([own, own / "a"], place)
    stored.download(f"{place}/own", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(own)
    (tmp_path / "some").mkdir()
    stored.fetch(place, ("own", "a", "nothing"), tmp_path / "some")
    assert tree(tmp_path / "some") == {"a": b"1", **{f"own/{name}": content for name, content in tree(own).items()}}
    assert stored.folders(place) == ["own"]


def test_what_is_not_there_is_nothing(place: str) -> None:
    assert stored.folders(place) == []
    assert stored.read(f"{place}/a") is None


def test_a_file_is_read_as_it_was_written_last(place: str) -> None:
    stored.write(f"{place}/a", b"1")
    stored.write(f"{place}/a", b"22")
    assert stored.read(f"{place}/a") == b"22"


def test_a_folder_that_is_fetched_again_has_nothing_of_the_old_one(place: str, tmp_path: Path) -> None:
    stored.write(f"{place}/new/a", b"1")
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "old").write_bytes(b"0")
    stored.download(f"{place}/new", tmp_path / "back")
    assert tree(tmp_path / "back") == {"a": b"1"}
