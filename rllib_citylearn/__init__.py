"""Cooperative MADDPG for communities of grid-interactive buildings.

Importing this package is cheap on purpose: it imports neither Ray, torch nor CityLearn. Import what you need from the
subpackages, e.g. ``from rllib_citylearn.algorithm import CooperativeMADDPGConfig``.
"""

__version__ = "0.1.0"
