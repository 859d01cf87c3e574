"""Validation while training: the policy without noise, on the same stretches of the data every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rllib_citylearn.algorithm.objective import mean_kpis
from rllib_citylearn.env.metrics import INFO_KPIS

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG


def validate(algorithm: CooperativeMADDPG, episodes: int) -> dict[str, float] | None:
    """Mean KPIs of the current policy over ``episodes`` episodes of the evaluation runners, without exploration noise.

    ``objective`` is among them, which policies are chosen by. None if a runner was lost on the way: the rest would be over
    other stretches than before. Lost runners are brought back for the next time.

    Args:
        algorithm: an algorithm with evaluation runners whose environments start in turn at given steps.
        episodes: number of episodes; a multiple of the number of evaluation runners in other processes.

    Raises:
        ConfigError: an episode has no score.
    """
    runners = algorithm.eval_env_runner_group
    runners.probe_unhealthy_env_runners()
    runners.sync_weights(from_worker_or_learner_group=algorithm.learner_group, inference_only=True)
    remote = runners.num_remote_env_runners()
    played = runners.foreach_env_runner(_Play(episodes // max(1, remote)), local_env_runner=not remote)
    kpis = [kpi for of_runner in played for kpi in of_runner]
    return mean_kpis(kpis) if len(kpis) == episodes else None


class _Play:
    """Plays whole episodes on a runner; a class, because it travels to other processes."""

    def __init__(self, episodes: int) -> None:
        self.episodes = episodes

    def __call__(self, runner: Any) -> list[dict[str, float]]:
        return [info[INFO_KPIS] for info in runner.last_infos(self.episodes)]
