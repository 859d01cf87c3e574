"""Controllers to compare with: no control, one-line rules, and CityLearn's own agents."""

from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.registry import BASELINES, make_baseline

__all__ = ["BASELINES", "Controller", "make_baseline"]
