"""Last step of an image: compile Python's own library, and take away what nobody needs who may change nothing.

Run as root by the Python of the base image, whose library may come without compiled files: a container with a read-only
root could not keep any, and each of Ray's processes would compile them anew.
"""

import compileall
import ensurepip
import py_compile
import re
import shutil
import stat
import sys
import sysconfig
from pathlib import Path

_INSTALLERS = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
"""Packages of the base image's Python; programs live in /opt/venv."""

_NEVER_RUN = re.compile("/(test|tests|lib2to3|idlelib)/")
"""What need not be compiled: Python's own tests, and code of other Pythons that is there to be translated."""

_SYSTEM = ("bin", "etc", "home", "lib", "opt", "root", "run", "sbin", "srv", "usr", "var")
"""Folders of the root that belong to the image; the others are the kernel's, or mounted."""


def compile_library() -> None:
    """Compile Python's library.

    Raises:
        SystemExit: a module can't be.
    """
    library = sysconfig.get_path("stdlib")
    done = compileall.compile_dir(
        library, quiet=1, rx=_NEVER_RUN, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    if not done:
        sys.exit(f"finish.py: some of {library} can't be compiled; use a base image with a whole Python.")


def remove_installers() -> None:
    """Remove pip, and whatever could bring it back, from the base image's Python."""
    site = Path(sysconfig.get_path("purelib"))
    shutil.rmtree(Path(ensurepip.__file__).parent)
    for name in _INSTALLERS:
        for found in (*site.glob(name), *site.glob(f"{name}-*.dist-info")):
            shutil.rmtree(found)
    for program in Path(sysconfig.get_path("scripts")).glob("pip*"):
        program.unlink()


def close() -> None:
    """Leave no file that runs with another user's rights, and no folder but /tmp that everybody may write to."""
    for folder in _SYSTEM:
        root = Path("/") / folder
        if root.is_symlink() or not root.is_dir():
            continue
        for path in (root, *root.rglob("*")):
            if path.is_symlink():
                continue
            mode = path.stat().st_mode
            closed = mode & ~stat.S_IWOTH
            if stat.S_ISREG(mode):
                closed &= ~(stat.S_ISUID | stat.S_ISGID)
            if closed != mode:
                path.chmod(stat.S_IMODE(closed))


if __name__ == "__main__":
    compile_library()
    remove_installers()
    close()
