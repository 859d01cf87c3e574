"""The memory of a community as text: what travels with the answers of a server and comes back with the next requests.

Base64 (RFC 4648) of: a version, which buildings and quantities it is of, the number of hours, the
width of a number, the numbers, and a checksum. A number is a whole multiple of 1 / ``SCALE`` kWh (kgCO2/kWh). Text, not JSON
numbers: a tenth of the time to read, and nobody is tempted to compute with it.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.measurements import QUANTITIES
from rllib_citylearn.errors import FeatureError

HOURS = 24
"""Length of the memory."""

SCALE = 10_000
"""Numbers are kept in units of 1 / SCALE."""

LIMIT = 1e6
"""Largest absolute measurement, in kWh (kgCO2/kWh); what is beyond is clipped to it."""

MOST = 2 * int(LIMIT) * SCALE
"""Largest absolute number that is kept: load less generation."""

FIELDS: Mapping[str, Sequence[str]] = {
    "base_load": QUANTITIES[:2],
    "net_electricity_consumption": QUANTITIES[2:3],
    "carbon_intensity": QUANTITIES[3:],
    "base_load_profile": QUANTITIES[:2],
}
"""What is remembered of each of the last 24 hours, with the quantities it comes from; the profile's numbers are those of the
same hours of the day."""

_VERSION = 1
_HEAD = struct.Struct("<B8sBB")
_CHECK = struct.Struct("<I")


class OtherMemoryError(FeatureError):
    """A memory that is whole, but of other buildings or quantities: another policy's."""


class MemoryFormat:
    """Writes and reads memories of one kind.

    Args:
        fields: those of ``FIELDS`` that they have.
        buildings: names of the N buildings.
    """

    def __init__(self, fields: Sequence[str], buildings: Sequence[str]) -> None:
        self._shape = (len(fields), len(buildings))
        self._kind = hashlib.sha256(json.dumps([list(fields), list(buildings)]).encode()).digest()[:8]

    def write(self, numbers: npt.NDArray[np.float64]) -> str:
        """Whole numbers ``[fields, N, hours]``, with the latest hour last, as text."""
        wide = bool(numbers.size) and float(np.abs(numbers).max()) >= 2**31
        data = _HEAD.pack(_VERSION, self._kind, numbers.shape[2], 8 if wide else 4)
        data += np.ascontiguousarray(numbers, "<i8" if wide else "<i4").tobytes()
        return binascii.b2a_base64(data + _CHECK.pack(zlib.crc32(data)), newline=False).decode()

    def read(self, text: Any, name: str) -> npt.NDArray[np.float64]:
        """The numbers of a memory, ``[fields, N, hours]``.

        Args:
            text: a value from outside, of any type.
            name: what the caller calls it, for the message of an error.

        Raises:
            OtherMemoryError: it is another policy's.
            FeatureError: it is none, or not as it was written.
        """
        damaged = FeatureError(
            f"{name} is not what the last answer gave; send that back unchanged, or null to begin without a memory."
        )
        if not isinstance(text, str):
            raise damaged
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except ValueError as error:  # binascii's own errors are such, too
            raise damaged from error
        body, check = data[: -_CHECK.size], data[-_CHECK.size :]
        if len(body) < _HEAD.size or _CHECK.pack(zlib.crc32(body)) != check:
            raise damaged
        version, kind, hours, width = _HEAD.unpack(body[: _HEAD.size])
        if version != _VERSION or kind != self._kind:
            raise OtherMemoryError(f"{name} is of other buildings, or was given by a policy that remembers other things.")
        if not 1 <= hours <= HOURS or width not in (4, 8) or len(body) - _HEAD.size != np.prod(self._shape) * hours * width:
            raise damaged
        numbers = np.frombuffer(body, f"<i{width}", offset=_HEAD.size).astype(np.float64)
        if numbers.size and np.abs(numbers).max() > MOST:
            raise damaged
        return numbers.reshape(*self._shape, hours)
