"""Numbers the kernels share."""

from __future__ import annotations

import numpy as np
from numba import njit

single = np.float32
"""Rounds to 32 bits: where CityLearn stores a number in a float32 array or combines one with a Python float."""

double = np.float64
"""Widens to 64 bits: ``float()`` leaves a 32-bit number as it is in compiled code."""

TINY = 1e-6
"""CityLearn's ``ZERO_DIVISION_PLACEHOLDER``."""

OPTIONS = {"cache": True, "fastmath": False, "error_model": "numpy", "nogil": True, "_nrt": False}
"""Of every kernel: no reordering of operations, division by zero as numpy has it, and no counting of references, which
costs more than the physics; kernels therefore allocate nothing."""

inline = njit(**{**OPTIONS, "cache": False, "forceinline": True})
"""For the parts of a kernel, which is cached as a whole."""
