"""RLlib's PPO and SAC with one policy for all buildings, on this project's environment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rllib_citylearn.algorithm.session import local_session
from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.learned.budget import Budget
from rllib_citylearn.baselines.learned.community import described_reward, training_env, validation_env
from rllib_citylearn.baselines.learned.family import Family, Learnt, Task
from rllib_citylearn.baselines.learned.rllib_configs import HOME, shared_policy_config
from rllib_citylearn.baselines.learned.shared_policy import SharedPolicy, policy_of
from rllib_citylearn.baselines.learned.validation import Stretches, Validations
from rllib_citylearn.errors import TrainingError

BUNDLE = "bundle"
"""Folder of the policy, as a policy bundle."""


class _RLlibFamily:
    """See ``Family``. What is learnt is written as a policy bundle, which other communities can use and servers, too."""

    def train(self, task: Task, folder: Path, budget: Budget) -> Learnt:
        """See ``Family.train``."""
        from rllib_citylearn.export.bundle import write_bundle
        from rllib_citylearn.export.manifest import Manifest
        from rllib_citylearn.export.onnx_export import onnx_models

        config = training_env(task, task.settings["environment"], padded=True)
        stretches = Stretches(validation_env(config, task))
        try:
            with local_session(2):
                training = SharedTraining(task, budget, Validations(stretches))
                try:
                    training.run()
                finally:
                    training.close()
            policy, community = training.best(), stretches.features
        finally:
            stretches.close()
        learnt = training.learnt()
        manifest = Manifest(
            name=task.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            community=community,
            hint_size=policy.hint_size,
            training=dict(task.record),
            kpis={},
        )
        write_bundle(folder / BUNDLE, manifest=manifest, models=onnx_models(policy, len(community.columns)))
        return learnt

    def load(self, name: str, folder: Path, record: Mapping[str, Any]) -> Controller:
        """See ``Family.load``."""
        from rllib_citylearn.evaluation.bundle_controller import BundleController

        return BundleController(name, folder / BUNDLE)


FAMILY: Family = _RLlibFamily()


class SharedTraining:
    """One training of an algorithm of RLlib's.

    Args:
        task: what to learn on.
        budget: for how long; it is started by ``run``.
        validations: where policies are judged.
    """

    def __init__(self, task: Task, budget: Budget, validations: Validations) -> None:
        self._budget, self._validations = budget, validations
        self._every_s = float(task.settings["validation_every_s"])
        self._squashed = task.settings["algorithm"] == "SAC"
        env = training_env(task, task.settings["environment"], padded=True)
        self._reward = described_reward(env)
        self._algorithm = shared_policy_config(task.settings, env, task.seed).build_algo()
        self._env_steps = 0
        self._seconds = 0.0

    def run(self) -> None:
        """Train until the budget is spent; validate at the start, now and then, and in the end."""
        self._budget.start()
        self._validate()
        validated = self._budget.elapsed_s
        while not self._budget.spent():
            result = self._algorithm.train()
            self._env_steps = int(result["env_runners"]["num_env_steps_sampled_lifetime"])
            if self._budget.elapsed_s - validated >= self._every_s:
                self._validate()
                validated = self._budget.elapsed_s
        if not self.updates:
            raise TrainingError(
                f"{self._budget.minutes:g} minutes were over before the first update, after {self._env_steps:,} hours; give "
                "training more time."
            )
        if self._validations.history[-1]["updates"] != self.updates:
            self._validate()
        self._seconds = self._budget.elapsed_s

    @property
    def updates(self) -> int:
        """Gradient steps so far, as Adam counts them."""
        learner = self._algorithm.learner_group._learner
        steps = [
            int(state["step"])
            for _, optimiser in learner.get_optimizers_for_module(HOME)
            for state in optimiser.state.values()
        ]
        return max(steps, default=0)

    def policy(self) -> SharedPolicy:
        """A copy of the present policy."""
        return policy_of(self._algorithm.get_module(HOME), squashed=self._squashed)

    def best(self) -> SharedPolicy:
        """The policy that was best on the stretches."""
        assert self._validations.best is not None
        return self._validations.best

    def _validate(self) -> None:
        self._validations.note(
            self.policy(), seconds=self._budget.elapsed_s, env_steps=self._env_steps, updates=self.updates
        )

    def learnt(self) -> Learnt:
        """How far it got; to be asked after ``run``."""
        last = self._validations.history[-1]
        return Learnt(
            env_steps=self._env_steps,
            updates=int(last["updates"]),
            training_s=self._seconds,
            reward=self._reward,
            policy="the one with the lowest validation objective, on stretches of the training data",
            facts={"updates_of_the_policy": self._validations.chosen["updates"], "validations": self._validations.history},
        )

    def close(self) -> None:
        """Stop RLlib."""
        self._algorithm.stop()
