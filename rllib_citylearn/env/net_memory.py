"""The memory feature that depends on the control: the mean of the net load over 24 hours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import NET_MEAN, QUANTITIES, Measurements
from rllib_citylearn.env.memory_columns import MemoryColumns, whole
from rllib_citylearn.env.memory_format import HOURS, SCALE

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class NetMemory:
    """What E communities of N buildings remember of their net loads.

    An episode that starts within the data remembers the 24 hours before it as they are without control; one that starts
    with the data remembers its first observation alone, as a served policy does.

    Args:
        features: the community's feature table; the mean is among its memory features.
        reference_net: net loads without control, kWh, ``[T, N]``.
        communities: number E.
    """

    def __init__(self, features: CommunityFeatures, reference_net: Doubles, communities: int) -> None:
        meter = Measurements(features).present[:, QUANTITIES.index("net_electricity_consumption")]
        columns = MemoryColumns(features)
        self._encode, self._feature = columns.encode, features.memory.index(NET_MEAN)
        self._column = columns.columns.start + self._feature
        # A row shows the net load of the hour before it; the first row, that of its own.
        shown = np.concatenate([reference_net[:1], reference_net])
        self._reference = np.concatenate(
            [np.zeros((HOURS - 1, len(meter))), whole(np.multiply(shown, meter, dtype=np.float64))]
        )
        self._meter = meter
        # Whole numbers. All communities write into the same slot in turn.
        self._held: Doubles = np.zeros((communities, HOURS, len(meter)))
        self._sums: Doubles = np.zeros((communities, len(meter)))
        self._seen: Rows = np.zeros(communities, np.int64)
        self._slot = HOURS - 1

    def start(self, communities: Rows, rows: Rows, net_kwh: npt.NDArray[np.floating]) -> None:
        """Begin episodes.

        Args:
            communities: which of the E.
            rows: row of the data that each starts at.
            net_kwh: net loads that the first observations of these communities show, ``[len(communities), N]``.
        """
        held = self._reference[rows[:, None] + np.arange(HOURS)]
        at_first = rows == 0
        held[at_first, -1] = whole(np.multiply(net_kwh[at_first], self._meter, dtype=np.float64))
        self._held[communities] = np.roll(held, self._slot + 1, 1)
        self._sums[communities] = held.sum(1)
        self._seen[communities] = np.minimum(rows + 1, HOURS)

    def update(self, net_kwh: npt.NDArray[np.floating]) -> None:
        """Take down the net loads ``[E, N]`` of the last hour of all communities."""
        self._slot = (self._slot + 1) % HOURS
        units = whole(np.multiply(net_kwh, self._meter, dtype=np.float64))
        slot = self._held[:, self._slot]
        self._sums += units
        self._sums -= slot
        slot[...] = units
        self._seen = np.minimum(self._seen + 1, HOURS)

    def write(self, observations: npt.NDArray[np.float32], communities: Rows | None = None) -> None:
        """Fill the mean's column of encoded observations, float32 ``[E, N, D]``, of some communities or all."""
        which = slice(None) if communities is None else communities
        mean = self._sums[which] / self._seen[which, None]
        mean /= SCALE
        observations[which, :, self._column] = self._encode(mean, self._feature)

    def history_kwh(self) -> npt.NDArray[np.float32]:
        """Net loads of the last 24 hours, the latest last, ``[E, 24, N]``; zero before there was any."""
        history = np.empty(self._held.shape, np.float32)
        older = HOURS - 1 - self._slot  # slots behind the present one
        np.divide(self._held[:, self._slot + 1 :], SCALE, out=history[:, :older], casting="same_kind")
        np.divide(self._held[:, : self._slot + 1], SCALE, out=history[:, older:], casting="same_kind")
        return history
