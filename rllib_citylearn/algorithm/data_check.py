"""Whether a preset fits its data, found out before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.env.appliance_features import PREFIX as APPLIANCE
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.thermostats import DEVICES


def check_data(preset: Preset, say: Callable[[str], None]) -> CommunityFeatures:
    """Build the preset's environments once, here, so that what does not fit its data is said before anything starts.

    Args:
        preset: the run; its data set has to be at hand.
        say: called with warnings.

    Returns:
        the feature table of the community that is trained on.

    Raises:
        UserError: buildings, windows, episodes or validation weeks that the data does not have.
    """
    configs = [asdict(preset.environment)]
    if preset.validation.starts:
        configs.append(asdict(preset.stretches()))
    if preset.report.window is not None:
        configs.append({**configs[0], "window": preset.report.window, "episode_steps": None, "starts": None})
    envs = [CityLearnMultiAgentEnv(config) for config in configs]
    env = envs[-1]
    weights, actions = env.reward.weights, sorted(env.features.actions)
    unpaid = [name for name in actions if name in DEVICES and not weights.comfort]
    unpaid += [name for name in actions if name.startswith("electric_vehicle") and not weights.departure]
    unpaid += [name for name in actions if name.startswith(APPLIANCE) and not weights.appliance]
    if unpaid:
        say(
            f"Warning: the weights of comfort, of vehicles' departures or of appliances' cycles are zero, but the policy "
            f"controls {', '.join(unpaid)}. It may save by leaving people cold, cars empty or laundry undone; do not deploy "
            "it."
        )
    return envs[0].features
