"""Where compiled kernels are kept between runs."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba

from rllib_citylearn.files import cache_folder


def kernel_folder() -> Path:
    """A folder whose name changes with the kernels' sources and with numba.

    numba looks at the file of the function it compiles, not at what that function calls.
    """
    content = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).parent
    for file in [*sorted(here.glob("*.py")), here.parent / "parameters.py", here.parent / "reward_layout.py"]:
        content.update(file.read_bytes())
    return cache_folder() / "kernels" / content.hexdigest()[:16]


def _writable(folder: Path) -> Path:
    """``folder``, or one that lives as long as this process where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        own = tempfile.mkdtemp(prefix="kernels-")
        atexit.register(shutil.rmtree, own, ignore_errors=True)
        print(
            f"Compiled kernels can't be kept in {folder} ({error.strerror}), so every process compiles them anew. Set "
            "RLLIB_CITYLEARN_CACHE to a folder that can be written to.",
            file=sys.stderr,
            flush=True,
        )
        return Path(own)


@contextmanager
def kernel_cache() -> Iterator[None]:
    """Functions decorated within are cached in ``kernel_folder``."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_writable(kernel_folder()))
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
