"""Which build of torch an image gets: ``torch_build.py wanted|missing|check cpu|cuda``.

``wanted`` reads requirements and prints torch's, for that build. ``missing`` says what to do where pip has none, ``check``
looks at the one that was installed: pip would take the largest build without a word.
"""

import sys

_BUILDS = ("cpu", "cuda")

_MISSING = {
    "cpu": "pip found no CPU build of torch. PyTorch's own index has them: give the address that its installation page "
    "names for CPU with --build-arg PIP_EXTRA_INDEX_URL=ADDRESS, or take the CUDA build, which is several GB larger, with "
    "--build-arg TORCH=cuda.",
    "cuda": "pip found no torch. It comes from the package index that pip is configured for.",
}

_OTHER = {
    "cpu": "pip installed a CUDA build of torch where the CPU build was asked for; look at the index that pip is configured "
    "for.",
    "cuda": "pip installed a CPU build of torch where the CUDA build was asked for: its index of CPU builds is configured. "
    "Build without it.",
}


def wanted(requirements: str, build: str) -> str:
    """The requirement of torch among others, for a build.

    Args:
        requirements: one a line.
        build: ``cpu`` or ``cuda``.
    """
    (torch,) = [line.strip() for line in requirements.splitlines() if line.startswith("torch==")]
    return f"{torch}+cpu" if build == "cpu" else torch


def main() -> None:
    """What the first argument says, for the build that the second one says."""
    step, build = sys.argv[1:]
    if build not in _BUILDS:
        sys.exit(f"torch_build.py: TORCH is {build!r}; give cpu or cuda.")
    if step == "wanted":
        print(wanted(sys.stdin.read(), build))
    elif step == "missing":
        sys.exit(_MISSING[build])
    else:
        import torch

        if (torch.version.cuda is None) != (build == "cpu"):
            sys.exit(_OTHER[build])


if __name__ == "__main__":
    main()
