"""The business-as-usual operator whom CityLearn's exported KPIs compare a policy with, simulated by either engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rllib_citylearn.baselines.citylearn_agents import CityLearnAgent
from rllib_citylearn.env.citylearn_env import keep_outages
from rllib_citylearn.evaluation.progress import Report
from rllib_citylearn.evaluation.rollout import rollout

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class BusinessAsUsual:
    """CityLearn's business as usual in a community: simulated when it is first needed, then remembered.

    CityLearn itself steps a second environment through the whole episode whenever it exports a policy's KPIs, for minutes
    and without a sign of life. Its result depends on the community alone, so policies can share one.

    Args:
        engine: one of ``env.config.ENGINES``.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._community: tuple[Any, ...] | None = None
        self._result: Any = None

    def hand_to(self, env: CityLearnEnv, report: Report) -> None:
        """Let ``env`` find the result where it keeps its own, until it is reset.

        Args:
            env: an environment at the end of its episode.
            report: told how far the simulation is.

        Raises:
            EngineError: the fast engine can't simulate this community.
        """
        community = _community(env)
        if community != self._community:
            self._result, self._community = self._simulate(env, report), community
        own = replace(self._result, episode=int(env.episode_tracker.episode), time_step=int(env.time_step))
        env._business_as_usual_baseline_cache = {(own.episode, own.time_step): own}

    def _simulate(self, env: CityLearnEnv, report: Report) -> Any:
        from citylearn.internal.baseline import BusinessAsUsualBaselineResult

        # Made by CityLearn: unlike that of ``env``, its data begins with the episode, and devices are sized by the data.
        second = env._business_as_usual_baseline_service._new_sidecar_env()
        second.central_agent = False
        keep_outages(second)
        # Not the baseline ``bau``, which leaves devices to their thermostats: CityLearn's reference switches them off.
        agent = CityLearnAgent("bau", "citylearn.agents.baseline", "BusinessAsUsualAgent", sets_devices=True)

        def tell(step: int, total: int, stage: str = "") -> None:
            report(step, total, stage or "business as usual")

        rollout(agent, second, engine=self._engine, report=tell)
        kpis = second.evaluate_v2(include_business_as_usual=False)
        return BusinessAsUsualBaselineResult(env=second, kpis_v2=kpis, episode=0, time_step=int(second.time_step))


def _community(env: CityLearnEnv) -> tuple[Any, ...]:
    """What tells one community's episode from another's."""
    tracker = env.episode_tracker
    return (
        str(env.root_directory),
        tuple(building.name for building in env.buildings),
        (int(tracker.episode_start_time_step), int(tracker.episode_end_time_step)),
        int(env.random_seed),
    )
