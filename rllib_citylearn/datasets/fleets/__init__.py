"""Seeded fleets of electric vehicles over any data set, written as a data set that plain CityLearn reads.

from rllib_citylearn.datasets.fleets import FleetSpec, lay_fleet

lay_fleet(source, target, FleetSpec(seed=7, building_share=0.5, v2g_share=0.3))
env = CityLearnEnv(str(target / "schema.json"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.datasets.fleets.calendar import Calendar, read_calendar
    from rllib_citylearn.datasets.fleets.fleet import Charger, Fleet, Sessions, Vehicle, make_fleet
    from rllib_citylearn.datasets.fleets.laying import add_fleet, lay_fleet
    from rllib_citylearn.datasets.fleets.spec import SOURCES, FleetSpec, HourDistribution

_HOME = {
    "SOURCES": "rllib_citylearn.datasets.fleets.spec",
    "Calendar": "rllib_citylearn.datasets.fleets.calendar",
    "Charger": "rllib_citylearn.datasets.fleets.fleet",
    "Fleet": "rllib_citylearn.datasets.fleets.fleet",
    "FleetSpec": "rllib_citylearn.datasets.fleets.spec",
    "HourDistribution": "rllib_citylearn.datasets.fleets.spec",
    "Sessions": "rllib_citylearn.datasets.fleets.fleet",
    "Vehicle": "rllib_citylearn.datasets.fleets.fleet",
    "add_fleet": "rllib_citylearn.datasets.fleets.laying",
    "lay_fleet": "rllib_citylearn.datasets.fleets.laying",
    "make_fleet": "rllib_citylearn.datasets.fleets.fleet",
    "read_calendar": "rllib_citylearn.datasets.fleets.calendar",
}

__all__ = [
    "SOURCES",
    "Calendar",
    "Charger",
    "Fleet",
    "FleetSpec",
    "HourDistribution",
    "Sessions",
    "Vehicle",
    "add_fleet",
    "lay_fleet",
    "make_fleet",
    "read_calendar",
]

__getattr__ = lazy_names(__name__, _HOME)
