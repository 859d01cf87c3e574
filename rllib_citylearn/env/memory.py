"""What buildings remember: features computed from their own measurements of the last 24 hours, and a simple forecast.

The same code runs in evaluation and serving, and is fed with raw observations only. Numbers are kept as whole
ten-thousandths (0.1 Wh): their sums don't depend on the order they are added in, and a memory that travelled as text is the
same to the last bit.

The forecast of the base load (load that can't be moved less photovoltaic generation) for an hour of the next day is
``0.3 y + 0.7 p``: y is the value at that hour of yesterday, p a running profile by hour of the day, ``p += 0.15 (y - p)``
once a day. ``docs/decisions/0007-memory-features.md`` has the measurements behind it. Until 24 hours were seen, what was
seen stands for the rest: means and the peak are over the hours seen, and hours of the day not seen yet are forecast with the
mean.

In training, where episodes start anywhere in the data, the same features come from tables by row (``memory_table``) and from
what ``net_memory`` takes down.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import SOURCES
from rllib_citylearn.env.memory_columns import NAMES, MemoryColumns, whole
from rllib_citylearn.env.memory_format import FIELDS, HOURS, MOST, SCALE, MemoryFormat

YESTERDAY = 0.3
"""Weight of the value of yesterday in a forecast; the rest is the profile's."""

RATE = 0.15
"""Share of a new value in the profile of its hour of the day."""

_BASE, _PROFILE = 0, len(FIELDS) - 1

Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


class Memory:
    """What E communities of N buildings remember.

    Args:
        features: the community's feature table, with M memory features.
        communities: number E.
    """

    def __init__(self, features: CommunityFeatures, communities: int = 1) -> None:
        count = len(features.agents)
        needed = {source for name in features.memory for source in SOURCES[name]}
        fields = tuple(field for field, sources in FIELDS.items() if needed.intersection(sources))
        self._kept = [list(FIELDS).index(field) for field in fields]
        self._format = MemoryFormat(fields, [agent.name for agent in features.agents])
        # Whole numbers, held as floats: their sums are exact. All communities write into the same slot in turn.
        self._held: Doubles = np.zeros((len(FIELDS), HOURS, communities, count))
        self._sums: Doubles = np.zeros((_PROFILE, communities, count))
        self._forecast: Doubles = np.zeros((communities, count, HOURS))
        self._slot = HOURS - 1
        self._seen: Rows = np.zeros(communities, np.int64)
        self._columns = MemoryColumns(features)

    def update(self, measured: npt.ArrayLike, present: npt.NDArray[np.bool_] | None = None) -> None:
        """Take down the next hour of all communities.

        Args:
            measured: ``QUANTITIES`` of each building, ``[E, N, 4]`` in the features' units.
            present: which buildings measured at all, ``[E, N]``; None is all. Of the others is taken down what was to be
                expected: the forecast of their base load, their mean net consumption, the others' carbon intensity.
        """
        expected = None if present is None or present.all() else self._expected()
        self._slot = (self._slot + 1) % HOURS
        units = whole(np.asarray(measured, np.float64))
        base = units[..., 0] - units[..., 1]
        if present is not None and expected is not None:
            count = np.maximum(present.sum(-1, keepdims=True), 1)
            carbon = np.rint(np.where(present, units[..., 3], 0.0).sum(-1, keepdims=True) / count)
            base = np.where(present, base, expected[0])
            units[..., 2] = np.where(present, units[..., 2], expected[1])
            units[..., 3] = np.where(present, units[..., 3], carbon)
        held = self._held[:, self._slot]
        profile = held[_PROFILE]
        rate = np.where(self._seen < HOURS, 1.0, RATE)[:, None]  # the first value is taken as it is
        profile = np.rint(profile + rate * (base - profile))
        for i, values in enumerate((base, units[..., 2], units[..., 3])):
            self._sums[i] += values - held[i]
            held[i] = values
        held[_PROFILE] = profile
        self._forecast[..., self._slot] = blend(base, profile)
        self._seen = np.minimum(self._seen + 1, HOURS)

    def _expected(self) -> tuple[Doubles, Doubles]:
        """Base load of the coming hour by its forecast, and the mean net consumption, ``[E, N]`` in whole units."""
        seen = np.maximum(self._seen, 1)[:, None]
        mean = self._sums / seen
        forecast = self._forecast[..., (self._slot + 1) % HOURS]
        return np.rint(np.where(self._seen[:, None] < HOURS, mean[_BASE], forecast)), np.rint(mean[1])

    def features(self) -> Doubles:
        """Raw memory features, ``[E, N, M]``."""
        seen, forecast, base = self._seen, self._forecast, self._held[_BASE]
        means = self._sums / np.maximum(seen, 1)[:, None]
        if seen.min(initial=HOURS) < HOURS:
            ago = (self._slot - np.arange(HOURS)) % HOURS
            unseen = ago >= seen[:, None]
            forecast = np.where(unseen[:, None], means[_BASE][..., None], forecast)
            base = np.where(unseen.T[..., None], -MOST, base)
        values = np.empty((*forecast.shape[:2], len(NAMES)))
        later = HOURS - 1 - self._slot  # slots behind the present one hold the hours that come next
        values[..., :later] = forecast[..., self._slot + 1 :]
        values[..., later:HOURS] = forecast[..., : self._slot + 1]
        values[..., HOURS] = means[_BASE]
        values[..., HOURS + 1] = base.max(0)
        values[..., HOURS + 2] = means[1]
        values[..., HOURS + 3] = means[2]
        values /= SCALE
        return self._columns.taken(values)

    def write(self, observations: npt.NDArray[np.float32]) -> None:
        """Fill the memory columns of encoded observations, float32 ``[E, N, D]``."""
        observations[..., self._columns.columns] = self._columns.encode(self.features())

    def to_text(self, e: int = 0) -> str:
        """What community ``e`` remembers, to be given to whoever has to bring it back (``memory_format``)."""
        held = self._held[:, self._slots(int(self._seen[e])), e]
        return self._format.write(held[self._kept].transpose(0, 2, 1))

    def from_text(self, text: Any, e: int = 0, name: str = "memory") -> None:
        """Let community ``e`` remember what ``to_text`` gave, here or elsewhere.

        Args:
            text: a value from outside, of any type.
            e: one of the E.
            name: what the caller calls it, for the message of an error.

        Raises:
            OtherMemoryError: a memory of other buildings, or of other quantities.
            FeatureError: what is no memory, or damaged.
        """
        numbers = self._format.read(text, name)
        hours = numbers.shape[2]
        slots = self._slots(hours)
        self._held[:, :, e] = 0.0
        for i, rows in zip(self._kept, numbers, strict=True):
            self._held[i, slots, e] = rows.T
        self._sums[:, e] = self._held[:_PROFILE, :, e].sum(1)
        self._forecast[e] = blend(self._held[_BASE, :, e], self._held[_PROFILE, :, e]).T
        self._seen[e] = hours

    def _slots(self, hours: int) -> Rows:
        """Where the latest hours stand, the latest last."""
        return (self._slot - np.arange(hours)[::-1]) % HOURS


def blend(yesterday: Doubles, profile: Doubles) -> Doubles:
    """Forecasts for a day ahead, from the values of yesterday and the running profile at the same hours."""
    return YESTERDAY * yesterday + (1.0 - YESTERDAY) * profile
