"""Data sets that are sent to other machines: whole or not at all, once a machine, and nowhere else than where they go."""

from __future__ import annotations

import io
import os
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rllib_citylearn.datasets import folder_sha256, resolve
from rllib_citylearn.datasets.shipping import Reference, pack, receive, unpack
from rllib_citylearn.errors import DatasetError
from tests.datasets_toy import write_current


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = write_current(tmp_path / "my town")
    (folder / "more").mkdir()
    (folder / "more" / "ä.csv").write_text("1\n")
    return folder


def _reference(folder: Path) -> Reference:
    return Reference(folder.name, folder_sha256(folder))


def test_a_reference_is_read_as_it_was_written(data: Path) -> None:
    for name in ("citylearn_challenge_2022_phase_all", "my town", "a:b", "Ä"):
        reference = Reference(name, "0" * 64)
        assert Reference.read(str(reference)) == reference
    for text in (
        f"cluster:a/b:{'0' * 64}",
        f"cluster:..:{'0' * 64}",
        f"cluster::{'0' * 64}",
        "cluster:a:0",
        "cluster",
        str(data),
    ):
        assert Reference.read(text) is None


def test_equal_data_make_equal_archives_wherever_they_lie(data: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(data, tmp_path / "elsewhere" / "copy", copy_function=shutil.copyfile)
    (copy / ".hidden").write_text("not data")
    (copy / "source.json").write_text("{}")
    assert pack(copy) == pack(data)
    (copy / "weather.csv").write_text("other")
    assert pack(copy) != pack(data)


def test_what_arrives_is_what_was_sent(data: Path, tmp_path: Path) -> None:
    reference, root = _reference(data), tmp_path / "root"
    place = receive(reference, [root], lambda: pack(data))
    assert place == root / "shipped" / reference.sha256 / data.name
    assert folder_sha256(place) == reference.sha256
    assert (place / "more" / "ä.csv").read_text() == "1\n"
    assert receive(reference, [root], _never) == place


def _never() -> bytes:
    pytest.fail("it was fetched again")


def _truncate(place: Path) -> None:
    (place / "weather.csv").write_text("")


def _remove_a_file(place: Path) -> None:
    (place / "more" / "ä.csv").unlink()


@pytest.mark.parametrize("damage", [_truncate, _remove_a_file, shutil.rmtree])
def test_what_is_damaged_is_fetched_again(data: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    reference, root = _reference(data), tmp_path / "root"
    damage(receive(reference, [root], lambda: pack(data)))
    assert folder_sha256(receive(reference, [root], lambda: pack(data))) == reference.sha256


def test_those_who_ask_at_once_fetch_once(data: Path, tmp_path: Path) -> None:
    reference, fetched, places = _reference(data), [], []
    start = threading.Barrier(4)

    def fetch() -> bytes:
        fetched.append(1)
        return pack(data)

    def ask() -> None:
        start.wait()
        places.append(receive(reference, [tmp_path / "root"], fetch))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(places), len(set(places)), len(fetched)) == (4, 1, 1)


def _archive(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr(name, "evil")
    return content.getvalue()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil", "folder/"])
def test_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no file of a data set"):
        unpack(_archive(name), tmp_path / "in" / "side")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"schema.json"}


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_half_an_archive_leaves_nothing(data: Path, tmp_path: Path, share: float) -> None:
    whole, root = pack(data), tmp_path / "root"
    with pytest.raises(DatasetError, match="is damaged"):
        receive(_reference(data), [root], lambda: whole[: int(len(whole) * share)])
    assert not [path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_other_data_than_those_asked_for_are_refused(data: Path, tmp_path: Path) -> None:
    reference, root = _reference(data), tmp_path / "root"
    (data / "weather.csv").write_text("changed")
    with pytest.raises(DatasetError, match="files changed as the run started"):
        receive(reference, [root], lambda: pack(data))
    assert not list(root.rglob("schema.json"))


def test_where_the_first_place_is_read_only_the_next_is_taken(data: Path, tmp_path: Path) -> None:
    place = receive(_reference(data), [Path("/sys/rllib_citylearn"), tmp_path / "session"], lambda: pack(data))
    assert place.is_relative_to(tmp_path / "session")


def test_places_that_can_not_be_used_are_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    roots = [Path("/sys/rllib_citylearn"), tmp_path / "file"]
    with pytest.raises(DatasetError, match=r"/sys/rllib_citylearn: .*file: .*RLLIB_CITYLEARN_CACHE"):
        receive(_reference(data), roots, lambda: pack(data))


@pytest.mark.parametrize("where", ["outside", "hidden", "absolute"])
def test_a_file_that_can_not_be_sent_along_is_named(data: Path, where: str) -> None:
    weather = data / "weather.csv"
    target = {"outside": data.parent / "weather.csv", "hidden": data / ".weather.csv", "absolute": data.parent / "w.csv"}[
        where
    ]
    weather.rename(target)
    name = str(target) if where == "absolute" else os.path.relpath(target, data)
    schema = (data / "schema.json").read_text()
    (data / "schema.json").write_text(schema.replace('"weather.csv"', f'"{name}"'))
    with pytest.raises(DatasetError, match=r"outside of that folder or hidden"):
        pack(data)


def test_a_process_that_is_not_of_the_run_is_told(data: Path) -> None:
    with pytest.raises(DatasetError, match=r"held by a run on a Ray cluster|can't be fetched"):
        resolve(str(_reference(data)))
