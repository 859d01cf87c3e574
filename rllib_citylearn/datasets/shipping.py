"""Data sets on their way to other machines: what names one there, an archive of it, and where it is kept on arrival."""

from __future__ import annotations

import errno
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rllib_citylearn.datasets.content import file_hashes, folder_sha256
from rllib_citylearn.datasets.schema import files_named, read_description
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import locked, new_directory

_TEXT = re.compile(r"cluster:(?P<name>[^/\0]+):(?P<sha256>[0-9a-f]{64})")
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip archive can write down; the same for all, so that equal folders make equal archives."""


@dataclass(frozen=True)
class Reference:
    """A data set that a run holds ready for the nodes of its cluster; as a text ``cluster:NAME:SHA256``.

    Attributes:
        name: the data set's name.
        sha256: of its folder, as ``folder_sha256`` makes it.
    """

    name: str
    sha256: str

    def __str__(self) -> str:
        return f"cluster:{self.name}:{self.sha256}"

    @classmethod
    def read(cls, text: str) -> Reference | None:
        """The reference that ``text`` is; None if it is none."""
        match = _TEXT.fullmatch(text)
        if match is None or match["name"] in (".", ".."):
            return None
        return cls(match["name"], match["sha256"])


def pack(folder: Path) -> bytes:
    """An archive of a data set's files: those that its hash covers, so the same for the same data wherever they lie.

    Raises:
        DatasetError: the schema names a file that is there but none of these, or one can't be read.
    """
    names = file_hashes(folder)
    for building in read_description(folder)["buildings"].values():
        for file in files_named(building):
            if PurePosixPath(file).as_posix() not in names and (folder / file).is_file():
                raise DatasetError(
                    f"The schema of {folder} names {file}, which is outside of that folder or hidden, so that it can't be "
                    "sent to other machines with it. Put it there, and its name relative to the folder into schema.json."
                )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED, 1)
    return content.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write an archive's files into a folder, and nothing outside of it.

    Raises:
        DatasetError: it is not an archive of ``pack``.
        OSError: the files can't be written.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            for info in file.infolist():
                path = PurePosixPath(info.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in info.filename or info.is_dir():
                    raise DatasetError(
                        f"The data set that was sent holds {info.filename!r}, which is no file of a data set."
                    )
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read(info))
    except (zipfile.BadZipFile, EOFError) as error:
        raise DatasetError(f"The data set that was sent is damaged ({error}). Start the run again.") from error


def kept(reference: Reference, roots: Sequence[Path]) -> Path | None:
    """Where a data set that was sent here lies, whole; None if it does not."""
    for root in roots:
        place = _place(reference, root)
        if place.is_dir() and folder_sha256(place) == reference.sha256:
            return place
    return None


def receive(reference: Reference, roots: Sequence[Path], fetch: Callable[[], bytes]) -> Path:
    """The folder of a data set that was sent here, or is now; processes that ask at once fetch it once.

    Args:
        reference: the data set.
        roots: folders to keep it in: the first that can be written to is taken.
        fetch: gets the archive.

    Raises:
        DatasetError: none can be written to, the disk is full, or what came is not what was asked for.
    """
    refused = []
    for root in roots:
        try:
            with locked(root / "shipped" / f".{reference.sha256}.lock"):
                return kept(reference, [root]) or _written(reference, root, fetch)
        except OSError as error:
            refused.append(f"{root}: {error.strerror or error}")
            if error.errno not in _READ_ONLY:
                break  # a full disk: what lies elsewhere on this machine may well be on it, too
    raise DatasetError(
        f"The data set {reference.name} was sent to this machine, but could not be kept here ({'; '.join(refused)}). Make "
        "room, or set RLLIB_CITYLEARN_CACHE on all nodes to a folder that can be written to, before Ray is started there."
    )


def _written(reference: Reference, root: Path, fetch: Callable[[], bytes]) -> Path:
    """Fetch a data set and put it where it is kept; the place is locked."""
    place = _place(reference, root)
    archive = fetch()
    with new_directory(place) as unfinished:
        unpack(archive, unfinished)
        found = folder_sha256(unfinished)
        if found != reference.sha256:
            raise DatasetError(
                f"The data set {reference.name} came with the sha256 {found[:12]}..., not {reference.sha256[:12]}...; its "
                "files changed as the run started. Start the run again."
            )
    return place


def _place(reference: Reference, root: Path) -> Path:
    return root / "shipped" / reference.sha256 / reference.name
