"""Names of observations and actions, as CityLearn 3.0.2's ``schema.json`` may give them."""

from __future__ import annotations

import re

from rllib_citylearn.datasets.checks.dataset import Dataset, entries
from rllib_citylearn.datasets.names import suggestion
from rllib_citylearn.env.appliance_features import QUANTITIES as APPLIANCE_QUANTITIES
from rllib_citylearn.env.feature_table import ACTIONS, FEATURES

_CHARGER_OBSERVATIONS = (
    "electric_vehicle_charger_connected_state",
    "connected_electric_vehicle_at_charger_departure_time",
    "connected_electric_vehicle_at_charger_required_soc_departure",
    "connected_electric_vehicle_at_charger_soc",
    "connected_electric_vehicle_at_charger_battery_capacity",
    "electric_vehicle_charger_incoming_state",
    "incoming_electric_vehicle_at_charger_estimated_arrival_time",
    "incoming_electric_vehicle_at_charger_estimated_soc_arrival",
)
_FURTHER_OBSERVATIONS = (
    "seconds",
    "hvac_mode",
    "comfort_band",
    *(f"{use}_device_efficiency" for use in ("cooling", "heating", "dhw")),
    *(f"{use}_electricity_consumption" for use in ("cooling", "heating", "dhw")),
    *(f"{use}_storage_electricity_consumption" for use in ("cooling", "heating", "dhw", "electrical")),
    *(f"indoor_dry_bulb_temperature_{use}_delta" for use in ("cooling", "heating")),
    *("occupant_interaction_indoor_dry_bulb_temperature_set_point_delta", "charging_constraint_violation_kwh"),
    *(
        f"net_electricity_consumption_without_storage{more}"
        for more in ("", "_and_partial_load", "_and_partial_load_and_pv")
    ),
)
_NUMBERED = re.compile(r".*(charger|deferrable_appliance)_\d.*")
"""What the feature table calls things of which a building can have several."""
OBSERVATIONS = frozenset(
    [name for name, feature in FEATURES.items() if feature.source == "measured" and not _NUMBERED.fullmatch(name)]
    + [*_CHARGER_OBSERVATIONS, *_FURTHER_OBSERVATIONS]
    + [f"deferrable_appliance_{quantity}" for quantity in APPLIANCE_QUANTITIES]
)
"""Names of observations; those of escalators and charging phases are known by their beginning."""

KNOWN_ACTIONS = frozenset(
    [name for name in ACTIONS if not name.startswith(("electric_vehicle_storage", "deferrable_appliance"))]
    + ["electric_vehicle_storage", "deferrable_appliance", "escalator"]
)
_FAMILIES = ("escalator_", "charging_")


def check_names(data: Dataset) -> None:
    """Unknown observations and actions, with the nearest right one."""
    groups = (("observations", OBSERVATIONS, "unknown-observation"), ("actions", KNOWN_ACTIONS, "unknown-action"))
    for group, known, rule in groups:
        settings = entries(data.description.get(group))
        for name in settings:
            if _is_known(name, known):
                continue
            active = any(data.is_active(group, name, building) for building in data.buildings.values())
            data.findings.add(
                rule if active else "unknown-inactive",
                f"CityLearn has no such {group[:-1]}.{suggestion(name.lower(), known)} Mend the name or take it out.",
                column=f"{group}.{name}",
            )
        for building, entry in data.buildings.items():
            for name in entry.get(f"inactive_{group}") or []:
                if name not in settings and not _is_known(name, known):
                    data.findings.add(
                        "unknown-inactive",
                        f"'{name}' is none of the schema's {group}, so nothing is switched off."
                        f"{suggestion(name.lower(), settings)} Mend the name or take it out.",
                        column=f"buildings.{building}.inactive_{group}",
                    )


def _is_known(name: str, known: frozenset[str]) -> bool:
    return name in known or name.startswith(_FAMILIES)
