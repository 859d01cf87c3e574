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
from rllib_citylearn.env.memory_format import FIELDS, HOURS, LIMIT, MOST, SCALE, check_memory

YESTERDAY = 0.3
"""Weight of the value of yesterday in a forecast; the rest is the profile's."""

RATE = 0.15
"""Share of a new value in the profile of its hour of the day."""

_NAMES = tuple(SOURCES)
_BASE, _PROFILE = 0, len(FIELDS) - 1

Whole = npt.NDArray[np.int64]
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
        self._held: Whole = np.zeros((len(FIELDS), communities, count, HOURS), np.int64)
        self._forecast: Doubles = np.zeros((communities, count, HOURS))
        # All communities write into the same slot in turn, whenever their own memory began.
        self._slot = HOURS - 1
        self._seen: Whole = np.zeros(communities, np.int64)
        needed = {source for name in features.memory for source in SOURCES[name]}
        self.fields = tuple(field for field, sources in FIELDS.items() if needed.intersection(sources))
        self._take: Whole = np.array([_NAMES.index(name) for name in features.memory], np.int64)
        self._columns = slice(len(features.columns) - len(features.memory), None)
        used = [features.feature(name) for name in features.memory]
        self._low = np.array([feature.low for feature in used])
        self._span = np.array([feature.high - feature.low for feature in used])
        self._mask = features.observation_mask[:, self._columns].astype(np.float64)

    def start(self, communities: npt.ArrayLike, measured: npt.ArrayLike) -> None:
        """Forget what these communities remember and begin with a first measurement.

        Args:
            communities: numbers of some of the E.
            measured: ``QUANTITIES`` of each building of these, ``[len(communities), N, 4]`` in the features' units.
        """
        which = np.asarray(communities, np.int64)
        self._held[:, which] = 0
        self._forecast[which] = 0.0
        self._seen[which] = 0
        self._note(which, np.asarray(measured))

    def update(self, measured: npt.ArrayLike) -> None:
        """Take down the next hour of all communities.

        Args:
            measured: ``QUANTITIES`` of each building, ``[E, N, 4]`` in the features' units.
        """
        self._slot = (self._slot + 1) % HOURS
        self._note(slice(None), np.asarray(measured))

    def _note(self, which: Any, measured: npt.NDArray[Any]) -> None:
        # CityLearn shows some numbers with 32 bits and some with 64: one rounding for all, wherever they come from.
        clipped = np.clip(measured, -LIMIT, LIMIT).astype(np.float32)
        units = np.rint(clipped.astype(np.float64) * SCALE).astype(np.int64)
        base = units[..., 0] - units[..., 1]
        slot, profile = self._slot, self._held[_PROFILE][which, :, self._slot]
        known = (self._seen[which] >= HOURS)[:, None]
        profile = np.where(known, np.rint(profile + RATE * (base - profile)), base).astype(np.int64)
        for held, values in zip(self._held, (base, units[..., 2], units[..., 3], profile), strict=True):
            held[which, :, slot] = values
        self._forecast[which, :, slot] = _blend(base, profile)
        self._seen[which] = np.minimum(self._seen[which] + 1, HOURS)

    def features(self, communities: npt.ArrayLike | None = None) -> Doubles:
        """Raw memory features of some communities (None: of all), ``[len(communities), N, M]``."""
        which: Any = slice(None) if communities is None else np.asarray(communities, np.int64)
        seen, forecast = self._seen[which], self._forecast[which]
        means = [history[which].sum(-1) / np.maximum(seen, 1)[:, None] for history in self._held[:_PROFILE]]
        base = self._held[_BASE][which]
        if (seen < HOURS).any():
            ago = (self._slot - np.arange(HOURS)) % HOURS
            unseen = (ago >= seen[:, None])[:, None]
            forecast = np.where(unseen, means[0][..., None], forecast)
            base = np.where(unseen, -MOST, base)
        values = np.empty((*base.shape[:2], len(_NAMES)))
        later = HOURS - 1 - self._slot  # slots behind the present one hold the hours that come next
        values[..., :later] = forecast[..., self._slot + 1 :]
        values[..., later:HOURS] = forecast[..., : self._slot + 1]
        values[..., HOURS] = means[0]
        values[..., HOURS + 1] = base.max(-1)
        values[..., HOURS + 2] = means[1]
        values[..., HOURS + 3] = means[2]
        values /= SCALE
        return values if len(self._take) == len(_NAMES) else values[..., self._take]

    def write(self, observations: npt.NDArray[np.float32], communities: npt.ArrayLike | None = None) -> None:
        """Fill the memory columns of encoded observations, float32 ``[E, N, D]``, of some communities or all."""
        encoded = self.features(communities)
        encoded -= self._low
        encoded *= 2.0 / self._span
        encoded -= 1.0
        np.clip(encoded, -1.0, 1.0, out=encoded)
        encoded *= self._mask
        which: Any = slice(None) if communities is None else np.asarray(communities, np.int64)
        observations[which, :, self._columns] = encoded

    def to_json(self, e: int = 0) -> dict[str, list[list[int]]]:
        """What community ``e`` remembers, as its ``fields``: N lists of as many whole numbers as hours were seen."""
        when = self._when(int(self._seen[e]))
        return {
            field: held[e][:, when].tolist() for field, held in zip(FIELDS, self._held, strict=True) if field in self.fields
        }

    def from_json(self, content: Any, e: int = 0, name: str = "memory") -> None:
        """Let community ``e`` remember what ``to_json`` gave, here or elsewhere.

        Args:
            content: a value from outside, of any type.
            e: one of the E.
            name: what the caller calls it, for the message of an error.

        Raises:
            FeatureError: what is not a memory of this community; the sentence names the place.
        """
        hours = check_memory(content, self.fields, self._held.shape[2], name)
        when = self._when(hours)
        self._held[:, e] = 0
        self._forecast[e] = 0.0
        for field, held in zip(FIELDS, self._held, strict=True):
            if field in self.fields:
                held[e][:, when] = content[field]
        self._forecast[e][:, when] = _blend(self._held[_BASE, e][:, when], self._held[_PROFILE, e][:, when])
        self._seen[e] = hours

    def _when(self, hours: int) -> Whole:
        """Slots of the latest hours, the latest last."""
        return (self._slot - np.arange(hours)[::-1]) % HOURS


def _blend(yesterday: Whole, profile: Whole) -> Doubles:
    return YESTERDAY * yesterday + (1.0 - YESTERDAY) * profile
