"""RLlib's PPO trains one policy for all buildings and is judged on buildings that it has never seen.

Every building is an agent; ``padded`` gives them all the same spaces, so one small network can drive each of them. The score
is relative to no control (1; lower is better). A minute of PPO is no good policy: this shows how to wire one up.

    python examples/ppo_shared_policy.py
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityEnvConfig, CommunityMetrics
from rllib_citylearn.errors import UserError


def same_policy(agent_id: str, episode: Any, **kwargs: Any) -> str:
    """Whoever asks gets the one policy."""
    return "home"


def main() -> None:
    """Print a line an iteration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="citylearn_challenge_2022_phase_all", help="a data set of five buildings or more")
    parser.add_argument("--iterations", type=int, default=6, help="a thousand hours of the community each")
    parser.add_argument("--steps", type=int, default=168, help="hours an episode")
    args = parser.parse_args()
    community = CommunityEnvConfig(
        dataset=args.data, buildings="1-5", held_out="4-5", episode_steps=args.steps, random_start=True, padded=True
    )
    unseen = community.held_out_config()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    algorithm = (
        PPOConfig()
        .environment(CityLearnMultiAgentEnv, env_config=asdict(community))
        .env_runners(num_env_runners=0)
        .multi_agent(policies={"home"}, policy_mapping_fn=same_policy)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64]))
        .training(
            train_batch_size_per_learner=6 * args.steps,
            minibatch_size=args.steps,
            num_epochs=10,
            lr=1e-3,
            gamma=0.9,
            vf_clip_param=1e3,
        )
        .evaluation(
            evaluation_interval=1,
            evaluation_duration=4,
            evaluation_num_env_runners=0,
            evaluation_config={"env_config": asdict(unseen), "explore": False},
        )
        .callbacks(CommunityMetrics)
        .debugging(seed=0, log_level="ERROR")
        .build_algo()
    )
    print("iteration   hours   score while learning   score of unseen buildings")
    for iteration in range(1, args.iterations + 1):
        result = algorithm.train()
        hours = int(result["env_runners"]["num_env_steps_sampled_lifetime"])
        learning, judged = (where["env_runners"]["kpis"]["score"] for where in (result, result["evaluation"]))
        print(f"{iteration:9d}{hours:8d}{learning:23.3f}{judged:28.3f}", flush=True)
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
