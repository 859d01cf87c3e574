"""One way, at least, to break each rule of `check` on the sound data set; each breaks that rule and no other."""

from __future__ import annotations

from tests.spoils.changes import Spoil
from tests.spoils.devices import APPLIANCE_SPOILS, DEVICE_SPOILS, VEHICLE_SPOILS
from tests.spoils.files import FILE_SPOILS, SCHEMA_SPOILS
from tests.spoils.values import UNIT_SPOILS, VALUE_SPOILS

SPOILS: list[Spoil] = [
    *(*SCHEMA_SPOILS, *FILE_SPOILS, *VALUE_SPOILS, *UNIT_SPOILS),
    *(*DEVICE_SPOILS, *VEHICLE_SPOILS, *APPLIANCE_SPOILS),
]
