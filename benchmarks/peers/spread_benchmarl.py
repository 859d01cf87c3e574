"""BenchMARL's MADDPG on simple_spread; runs in a virtual environment of its own (requirements.txt beside this file).

python -m benchmarks.peers.spread_benchmarl --seed 0
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from benchmarks.peers.run import Result, demand, finish, measured, parser
from benchmarks.peers.settings import SETTINGS
from benchmarks.peers.spread import Act, Joint

GROUP = "agent"
"""What TorchRL calls the group of agent_0, agent_1 and agent_2."""


def experiment_config(steps: int, learning_rate: float, folder: str) -> Any:
    """The settings in BenchMARL's words."""
    from benchmarl.experiment import ExperimentConfig

    config = ExperimentConfig.get_from_yaml()
    config.gamma = SETTINGS.gamma
    config.lr = learning_rate
    config.polyak_tau = SETTINGS.tau
    config.exploration_eps_init = SETTINGS.noise
    config.exploration_eps_end = SETTINGS.noise_final
    config.exploration_anneal_frames = max(1, int(SETTINGS.noise_anneal_share * steps))
    config.max_n_frames = steps
    config.off_policy_collected_frames_per_batch = SETTINGS.round_steps
    config.off_policy_n_envs_per_worker = SETTINGS.envs
    config.off_policy_n_optimizer_steps = int(SETTINGS.round_steps * SETTINGS.updates_per_step)
    config.off_policy_train_batch_size = SETTINGS.batch
    config.off_policy_memory_size = SETTINGS.replay
    config.off_policy_init_random_frames = SETTINGS.warmup_steps
    config.evaluation = config.render = config.create_json = False
    config.loggers = []
    config.save_folder = folder
    return config


def train(steps: int, seed: int, learning_rate: float) -> Act:
    """Train for ``steps`` environment steps; returns the policy."""
    import torch
    from benchmarl.algorithms import MaddpgConfig
    from benchmarl.experiment import Experiment
    from benchmarl.models.mlp import MlpConfig
    from tensordict import TensorDict
    from torchrl.envs.utils import ExplorationType, set_exploration_type

    from benchmarks.peers.benchmarl_task import Spread

    torch.set_num_threads(1)
    network = MlpConfig.get_from_yaml()
    network.num_cells = [SETTINGS.hidden, SETTINGS.hidden]
    network.activation_class = torch.nn.ReLU
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(
            task=Spread(),
            algorithm_config=MaddpgConfig.get_from_yaml(),
            model_config=network,
            critic_model_config=MlpConfig(**vars(network)),
            seed=seed,
            config=experiment_config(steps, learning_rate, folder),
        )
        experiment.run()

    def act(observations: Joint) -> Joint:
        joint = TensorDict({GROUP: {"observation": torch.from_numpy(observations)}}, batch_size=[len(observations)])
        with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
            actions: Joint = experiment.policy(joint)[GROUP, "action"].numpy()
        return actions

    return act


def run(options: argparse.Namespace) -> Result:
    """One run."""
    demand("benchmarl", "mpe2")
    packages = ("benchmarl", "torchrl", "tensordict", "torch", "mpe2", "pettingzoo")
    name = f"BenchMARL, learning rate {options.learning_rate:g}"
    return measured(name, options, lambda: train(options.steps, options.seed, options.learning_rate), packages)


if __name__ == "__main__":
    arguments = parser(__doc__ or "")
    arguments.add_argument("--learning-rate", type=float, default=SETTINGS.learning_rate, help="Adam's, of actor and critic")
    given = arguments.parse_args()
    finish(lambda: run(given), given.json)
