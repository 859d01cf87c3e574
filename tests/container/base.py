"""A stand-in for the base image where no registry of images can be reached: Debian of the same release with its Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.container.engine import Engine

_PACKAGES = "ca-certificates,python3,python3-venv"

_LABEL = "stand-in=debian"


def base_of(dockerfile: Path) -> str:
    """The image that a Dockerfile builds upon."""
    (base,) = re.findall(r"^ARG BASE=(\S+)$", dockerfile.read_text(), flags=re.M)
    return str(base)


def stand_in_of(base: str) -> str:
    """What a stand-in for an image is called: its name without its digest, which is that of other bytes."""
    return base.partition("@")[0]


def make(engine: Engine, name: str) -> None:
    """Make an image called ``name``: what a minimal Debian 12 has, with Python 3.11 where the official image has it.

    It stays for the next time. One of that name which is there already, such as the official image, is taken.
    """
    if engine.exists(name):
        return
    with tempfile.TemporaryDirectory(prefix="debian-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        log = Path(folder) / "log"
        with log.open("w") as output:
            done = subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root)],
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=900,
            )
        assert done.returncode == 0, log.read_text()[-3000:]
        for link in ("python", "python3"):
            (root / "usr/local/bin" / link).symlink_to("/usr/bin/python3.11")
        for archive in (root / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        shutil.rmtree(root / "var/lib/apt/lists")
        sources = Path("/etc/apt/sources.list.d/debian.sources")
        if sources.is_file():  # security updates, too, where this machine gets them
            shutil.copy(sources, root / "etc/apt/sources.list.d")
            (root / "etc/apt/sources.list").unlink(missing_ok=True)
        archived = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(archived), "."], check=True, timeout=300)
        path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        changes = ["--change", f"ENV {path}", "--change", f"LABEL {_LABEL}", "--change", "CMD python3"]
        engine.podman("import", *changes, str(archived), name, timeout_s=600.0)


def why_not() -> str | None:
    """Why a stand-in can't be made here."""
    if shutil.which("debootstrap") is None:
        return "debootstrap is not installed"
    return None if os.geteuid() == 0 else "it needs root"
