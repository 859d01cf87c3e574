"""What CityLearn's agents need to act again, as plain arrays: networks, normalisation, and what MARLISA fits beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import CheckpointError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

ARRAYS = "agent.npz"

Arrays = dict[str, npt.NDArray[Any]]


def write_state(folder: Path, agent: Any) -> None:
    """Write what the agent has learnt to ``agent.npz``; nothing in it is pickled."""
    arrays: Arrays = {}
    for i, network in enumerate(agent.policy_net):
        for name, value in network.state_dict().items():
            arrays[f"{i}.policy.{name}"] = value.detach().cpu().numpy()
        arrays[f"{i}.mean"], arrays[f"{i}.std"] = agent.norm_mean[i], agent.norm_std[i]
    if _coordinates(agent):
        for i, (pca, estimator) in enumerate(zip(agent.pca, agent.state_estimator, strict=True)):
            arrays[f"{i}.pca.mean"], arrays[f"{i}.pca.components"] = pca.mean_, pca.components_
            arrays[f"{i}.pca.variance"] = pca.explained_variance_
            arrays[f"{i}.demand.coef"] = np.asarray(estimator.coef_)
            arrays[f"{i}.demand.intercept"] = np.asarray(estimator.intercept_)
        # CityLearn computes these from the loads of the window.
        arrays["energy_size"] = np.asarray(agent.energy_size_coefficient, np.float64)
        arrays["energy_total"] = np.asarray(agent.total_coefficient, np.float64)
    for i, space in enumerate(agent.observation_space):
        arrays[f"{i}.observations.low"], arrays[f"{i}.observations.high"] = space.low, space.high
    np.savez(folder / ARRAYS, allow_pickle=False, **arrays)


def read_state(folder: Path) -> Arrays:
    """The arrays of ``agent.npz``.

    Raises:
        CheckpointError: they can't be read.
    """
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise CheckpointError(f"{folder / ARRAYS} can't be read ({error}). Copy the folder again, or train anew.") from error


def restore_state(agent: Any, arrays: Arrays) -> None:
    """Give a fresh agent what another one has learnt on the same community."""
    import torch

    for i, network in enumerate(agent.policy_net):
        prefix = f"{i}.policy."
        state = {
            name.removeprefix(prefix): torch.from_numpy(value) for name, value in arrays.items() if name.startswith(prefix)
        }
        network.load_state_dict(state)
        agent.norm_mean[i], agent.norm_std[i] = arrays[f"{i}.mean"], arrays[f"{i}.std"]
        agent.normalized[i] = True
    if _coordinates(agent):
        for i, (pca, estimator) in enumerate(zip(agent.pca, agent.state_estimator, strict=True)):
            pca.mean_, pca.components_ = arrays[f"{i}.pca.mean"], arrays[f"{i}.pca.components"]
            pca.explained_variance_ = arrays[f"{i}.pca.variance"]
            pca.n_features_in_ = len(pca.mean_)
            estimator.coef_, estimator.intercept_ = arrays[f"{i}.demand.coef"], arrays[f"{i}.demand.intercept"]
            agent.pca_flag[i] = True
        agent.energy_size_coefficient = arrays["energy_size"].tolist()
        agent.total_coefficient = float(arrays["energy_total"])


def _coordinates(agent: Any) -> bool:
    """Whether the agent tells others what it expects to draw, as MARLISA does."""
    return hasattr(agent, "state_estimator")


def community_of(env: CityLearnEnv, data: Mapping[str, Any]) -> dict[str, Any]:
    """What networks of separate buildings can't do without, JSON-ready: their data, their names, what they see and set."""
    return {
        "data": dict(data),
        "buildings": [building.name for building in env.buildings],
        "observations": [list(names) for names in env.observation_names],
        "actions": [list(names) for names in env.action_names],
    }
