"""What is known before the first hour: tensors that move with a module from device to device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


class Constants(torch.nn.Module):
    """A module that computes with a data set's numbers.

    They are buffers, so that they go where the module goes, and are not saved with it: who has the data set has them.

    Args:
        dtype: of values for which nothing else is said.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def keep(self, name: str, values: npt.ArrayLike, dtype: torch.dtype | None = None) -> None:
        """Make a copy of ``values`` the attribute ``name``."""
        array = np.array(values, order="C")
        self.register_buffer(name, torch.tensor(array, dtype=self._dtype if dtype is None else dtype), persistent=False)
