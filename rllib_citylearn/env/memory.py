"""What buildings remember: features computed from their own measurements of the last 24 hours, and a simple forecast.

The same code runs in training, evaluation and serving, and is fed with raw observations only, so that a served policy sees
what it saw in training. Numbers are kept as whole ten-thousandths (0.1 Wh): their sums don't depend on the order they are
added in, and a memory that travelled as JSON is the same to the last bit.

The forecast of the base load (load that can't be moved less photovoltaic generation) for an hour of the next day is
``0.3 y + 0.7 p``: y is the value at that hour of yesterday, p a running profile by hour of the day, ``p += 0.15 (y - p)``
once a day. ``docs/decisions/0007-memory-features.md`` has the measurements behind it. Until 24 hours were seen, what was
seen stands for the rest: means and the peak are over the hours seen, and hours of the day not seen yet are forecast with the
mean. A building's first observation shows a net draw of zero in CityLearn, which counts like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import SOURCES
from rllib_citylearn.env.memory_format import FIELDS, HOURS, LIMIT, MOST, SCALE, read_memory

YESTERDAY = 0.3
"""Weight of the value of yesterday in a forecast; the rest is the profile's."""

RATE = 0.15
"""Share of a new value in the profile of its hour of the day."""

_NAMES = tuple(SOURCES)
_BASE, _PROFILE = 0, len(FIELDS) - 1

Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


class Memory:
    """What E communities of N buildings remember.

    Args:
        features: the community's feature table, with M memory features.
        communities: number E.

    Attributes:
        fields: those of ``FIELDS`` that a memory of this community has in JSON.
    """

    def __init__(self, features: CommunityFeatures, communities: int = 1) -> None:
        count = len(features.agents)
        needed = {source for name in features.memory for source in SOURCES[name]}
        self.fields = tuple(field for field, sources in FIELDS.items() if needed.intersection(sources))
        # Whole numbers, held as floats: their sums are exact. All communities write into the same slot in turn.
        self._held: Doubles = np.zeros((len(FIELDS), HOURS, communities, count))
        self._sums: Doubles = np.zeros((_PROFILE, communities, count))
        self._forecast: Doubles = np.zeros((communities, count, HOURS))
        self._slot = HOURS - 1
        self._seen: Rows = np.zeros(communities, np.int64)
        self._take = np.array([_NAMES.index(name) for name in features.memory], np.int64)
        self._columns = slice(len(features.columns) - len(features.memory), None)
        # Encoding is x -> 2 (x - low) / (high - low) - 1, and everything is zero where masked.
        used = [features.feature(name) for name in features.memory]
        low, high = np.array([(feature.low, feature.high) for feature in used]).reshape(-1, 2).T
        mask = features.observation_mask[:, self._columns]
        self._gain = 2.0 / (high - low) * mask
        self._offset = -(high + low) / (high - low) * mask

    def start(self, communities: npt.ArrayLike, measured: npt.ArrayLike) -> None:
        """Forget what these communities remember and begin with a first measurement.

        Args:
            communities: numbers of some of the E.
            measured: ``QUANTITIES`` of each building of these, ``[len(communities), N, 4]`` in the features' units.
        """
        which = np.asarray(communities, np.int64)
        self._forget(which)
        self._note(which, np.asarray(measured, np.float64))

    def update(self, measured: npt.ArrayLike) -> None:
        """Take down the next hour of all communities.

        Args:
            measured: ``QUANTITIES`` of each building, ``[E, N, 4]`` in the features' units.
        """
        self._slot = (self._slot + 1) % HOURS
        self._note(slice(None), np.asarray(measured, np.float64))

    def _forget(self, which: Any) -> None:
        self._held[:, :, which] = 0.0
        self._sums[:, which] = 0.0
        self._forecast[which] = 0.0
        self._seen[which] = 0

    def _note(self, which: Any, measured: Doubles) -> None:
        # CityLearn shows some numbers with 32 bits and some with 64: one rounding for all, wherever they come from.
        single = np.minimum(np.maximum(measured, -LIMIT), LIMIT).astype(np.float32)
        units = np.rint(np.multiply(single, SCALE, dtype=np.float64))
        base = units[..., 0] - units[..., 1]
        held = self._held[:, self._slot]
        profile = held[_PROFILE, which]
        rate = np.where(self._seen[which] < HOURS, 1.0, RATE)[:, None]  # the first value is taken as it is
        profile = np.rint(profile + rate * (base - profile))
        for i, values in enumerate((base, units[..., 2], units[..., 3])):
            self._sums[i, which] += values - held[i, which]
            held[i, which] = values
        held[_PROFILE, which] = profile
        self._forecast[which, :, self._slot] = _blend(base, profile)
        self._seen[which] = np.minimum(self._seen[which] + 1, HOURS)

    def features(self, communities: npt.ArrayLike | None = None) -> Doubles:
        """Raw memory features of some communities (None: of all), ``[len(communities), N, M]``."""
        which = _selected(communities)
        seen, forecast, base = self._seen[which], self._forecast[which], self._held[_BASE][:, which]
        means = self._sums[:, which] / np.maximum(seen, 1)[:, None]
        if seen.min(initial=HOURS) < HOURS:
            ago = (self._slot - np.arange(HOURS)) % HOURS
            unseen = ago >= seen[:, None]
            forecast = np.where(unseen[:, None], means[_BASE][..., None], forecast)
            base = np.where(unseen.T[..., None], -MOST, base)
        values = np.empty((*forecast.shape[:2], len(_NAMES)))
        later = HOURS - 1 - self._slot  # slots behind the present one hold the hours that come next
        values[..., :later] = forecast[..., self._slot + 1 :]
        values[..., later:HOURS] = forecast[..., : self._slot + 1]
        values[..., HOURS] = means[_BASE]
        values[..., HOURS + 1] = base.max(0)
        values[..., HOURS + 2] = means[1]
        values[..., HOURS + 3] = means[2]
        values /= SCALE
        return values if len(self._take) == len(_NAMES) else values[..., self._take]

    def write(self, observations: npt.NDArray[np.float32], communities: npt.ArrayLike | None = None) -> None:
        """Fill the memory columns of encoded observations, float32 ``[E, N, D]``, of some communities or all."""
        encoded = self.features(communities)
        encoded *= self._gain
        encoded += self._offset
        np.maximum(encoded, -1.0, out=encoded)
        np.minimum(encoded, 1.0, out=encoded)
        observations[_selected(communities), :, self._columns] = encoded

    def to_json(self, e: int = 0) -> dict[str, list[list[int]]]:
        """What community ``e`` remembers, as its ``fields``: N lists of as many whole numbers as hours were seen."""
        held = self._held[:, self._slots(int(self._seen[e])), e].astype(np.int64)
        return {field: rows.T.tolist() for field, rows in zip(FIELDS, held, strict=True) if field in self.fields}

    def from_json(self, content: Any, e: int = 0, name: str = "memory") -> None:
        """Let community ``e`` remember what ``to_json`` gave, here or elsewhere.

        Args:
            content: a value from outside, of any type.
            e: one of the E.
            name: what the caller calls it, for the message of an error.

        Raises:
            FeatureError: what is not a memory of this community; the sentence names the place.
        """
        numbers = read_memory(content, self.fields, self._held.shape[-1], name)
        hours = next(iter(numbers.values())).shape[1]
        slots = self._slots(hours)
        self._forget(e)
        for i, field in enumerate(FIELDS):
            if field in numbers:
                self._held[i, slots, e] = numbers[field].T
        self._sums[:, e] = self._held[:_PROFILE, :, e].sum(1)
        self._forecast[e] = _blend(self._held[_BASE, :, e], self._held[_PROFILE, :, e]).T
        self._seen[e] = hours

    def _slots(self, hours: int) -> Rows:
        """Where the latest hours stand, the latest last."""
        return (self._slot - np.arange(hours)[::-1]) % HOURS


def _selected(communities: npt.ArrayLike | None) -> Any:
    return slice(None) if communities is None else np.asarray(communities, np.int64)


def _blend(yesterday: Doubles, profile: Doubles) -> Doubles:
    return YESTERDAY * yesterday + (1.0 - YESTERDAY) * profile
