"""The folder of a data set that is made here: where it may be, and that it appears whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import new_directory


def check_target(target: Path, *, force: bool) -> None:
    """Refuse to write a data set where something is, unless it may be replaced, and where no folder can be.

    Raises:
        DatasetError: there is a file, a symbolic link, or a folder that may not be replaced, or one that is no data set; or
            the name can't be a folder's.
    """
    if "\0" in str(target):
        raise DatasetError(f"{str(target)!r} has a zero byte, which no folder's name can have; choose another folder.")
    try:
        _check_place(target, force)
    except OSError as error:
        raise _unwritable(target, error) from error


def _check_place(target: Path, force: bool) -> None:
    if target.is_symlink():
        raise DatasetError(f"{target} is a symbolic link, which is not followed or replaced; give the folder itself.")
    if not target.exists():
        return
    if not target.is_dir():
        raise DatasetError(f"{target} is a file; give a folder for the data set.")
    if not force:
        raise DatasetError(f"{target} is there already; choose another folder, or replace it with --force (force=True).")
    if any(target.iterdir()) and not (target / "schema.json").is_file():
        raise DatasetError(f"{target} holds other things than a data set, so it is not replaced; choose another folder.")


@contextmanager
def new_dataset(target: Path) -> Iterator[Path]:
    """``files.new_directory`` for a place that ``check_target`` let pass.

    Raises:
        DatasetError: it can't be written to.
    """
    try:
        with new_directory(target) as folder:
            yield folder
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"The data set {target} can't be written ({error.strerror or error}). Choose a folder in a place that can be "
        "written to and has room."
    )
