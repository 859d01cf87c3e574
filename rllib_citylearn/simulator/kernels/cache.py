"""Where compiled kernels are kept between runs."""

from __future__ import annotations

import hashlib
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
    for file in [*sorted(here.glob("*.py")), here.parent / "parameters.py"]:
        content.update(file.read_bytes())
    return cache_folder() / "kernels" / content.hexdigest()[:16]


@contextmanager
def kernel_cache() -> Iterator[None]:
    """Functions decorated within are cached in ``kernel_folder``."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(kernel_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
