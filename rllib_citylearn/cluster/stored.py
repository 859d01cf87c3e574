"""Files in a run's storage, which is a shared folder or an object store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rllib_citylearn.files import new_directory, write_bytes


def join(place: str, *names: str) -> str:
    """A place in a folder; what an address says after its ``?``, such as an endpoint, stays at its end."""
    base, question, query = place.partition("?") if "://" in place else (place, "", "")
    return "/".join([base.rstrip("/"), *names]) + question + query


def opened(place: str) -> tuple[Any, str]:
    """File system and path of an absolute path or a URI, as Ray Tune takes them."""
    from ray.train._internal.storage import get_fs_and_path

    opened: tuple[Any, str] = get_fs_and_path(place)
    return opened


def folders(place: str) -> list[str]:
    """Names of the folders in a folder; none where there is no such folder."""
    return [name for name, is_folder in _entries(place) if is_folder]


def files(place: str) -> list[str]:
    """Names of the files in a folder; none where there is no such folder."""
    return [name for name, is_folder in _entries(place) if not is_folder]


def _entries(place: str) -> list[tuple[str, bool]]:
    """Names in a folder, and whether each is a folder."""
    import pyarrow.fs

    system, path = opened(place)
    found = system.get_file_info(pyarrow.fs.FileSelector(path, allow_not_found=True))
    return sorted((entry.base_name, entry.type == pyarrow.fs.FileType.Directory) for entry in found)


def read(place: str) -> bytes | None:
    """A file's content; None where there is none."""
    import pyarrow.fs

    system, path = opened(place)
    if system.get_file_info(path).type != pyarrow.fs.FileType.File:
        return None
    with system.open_input_stream(path) as stream:
        content: bytes = stream.read()
    return content


def write(place: str, content: bytes) -> None:
    """Write a file."""
    system, path = opened(place)
    if getattr(system, "type_name", "") == "local":
        write_bytes(Path(path), content)
        return
    with system.open_output_stream(path) as stream:
        stream.write(content)


def download(place: str, folder: Path) -> None:
    """Copy a folder to ``folder``, which is replaced when all is there."""
    import pyarrow.fs

    system, path = opened(place)
    with new_directory(folder) as copy:
        pyarrow.fs.copy_files(path, str(copy), source_filesystem=system)


def fetch(place: str, names: Iterable[str], folder: Path) -> None:
    """Copy those of the named files and folders that are in ``place`` to ``folder``."""
    import pyarrow.fs

    system, path = opened(place)
    for name in names:
        found = system.get_file_info(f"{path}/{name}").type
        if found == pyarrow.fs.FileType.Directory:
            (folder / name).mkdir()
        if found != pyarrow.fs.FileType.NotFound:
            pyarrow.fs.copy_files(f"{path}/{name}", str(folder / name), source_filesystem=system)


def remove(place: str) -> None:
    """Remove a folder, if it is there."""
    import pyarrow.fs

    system, path = opened(place)
    if system.get_file_info(path).type == pyarrow.fs.FileType.Directory:
        system.delete_dir(path)


def upload(paths: Iterable[Path], place: str) -> None:
    """Copy files and folders into the folder ``place``, under their own names."""
    import pyarrow.fs

    system, target = opened(place)
    local = pyarrow.fs.LocalFileSystem()
    system.create_dir(target, recursive=True)
    for path in paths:
        if path.is_dir():
            system.create_dir(f"{target}/{path.name}", recursive=True)
        pyarrow.fs.copy_files(str(path), f"{target}/{path.name}", source_filesystem=local, destination_filesystem=system)
