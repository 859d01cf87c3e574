"""The learner: twin critics, deterministic policy gradient, slowly following targets.

Equation numbers refer to

* [L] Lowe et al. 2017, "Multi-Agent Actor-Critic for Mixed Cooperative-Competitive Environments" (MADDPG);
* [F] Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (TD3).

With one team reward all agents share one critic, so [L]'s N critics fall into one (per twin).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from torch import Tensor

from rllib_citylearn.algorithm.expansion import Expansion, ValueExpansion, kept_hints
from rllib_citylearn.algorithm.gradients import all_finite, average_over_learners
from rllib_citylearn.algorithm.losses import (
    Value,
    cloning_loss,
    critic_loss,
    policy_loss,
    smaller_value,
    td_errors,
    td_target,
)
from rllib_citylearn.algorithm.names import (
    ACTION_MASK,
    BUILDING_REWARDS,
    COMMUNITY,
    DISCOUNT,
    DISTRICT_REWARD,
    IMPORTANCE,
    IS_DEMONSTRATION,
    PRESENT,
    SHARE_DONE,
    TD_ERRORS,
)
from rllib_citylearn.algorithm.optimisers import optimisers
from rllib_citylearn.algorithm.schedules import value_at
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.errors import CheckpointError, TrainingError
from rllib_citylearn.modules.community_module import CommunityRLModule
from rllib_citylearn.modules.networks import masked_mean, zero_absent

_STEPS = "gradient_steps"
_RANDOM = "random"

_LOWER = "Lower the learning rates or set grad_clip, and go on from the last checkpoint, which holds weights from before."

Batch = dict[str, Any]


class CooperativeMADDPGLearner(TorchLearner):
    """Learner of the community module. Counts gradient steps itself: targets and policy delays follow them."""

    def build(self) -> None:
        """Create module, targets, optimisers, the random generator of this learner and what it simulates."""
        super().build()
        self.community.make_target_networks()
        self._gradient_steps = 0
        self._rule_weight = value_at(self.config.rule_weight, 0)
        self._random = torch.Generator(device=self._device)
        self._random.manual_seed((self.config.seed or 0) + self._learner_index)
        self._expansion = self._make_expansion()

    def _make_expansion(self) -> ValueExpansion | None:
        config = self.config
        if not config.model_horizon:
            return None
        return ValueExpansion(
            CommunityEnvConfig.from_dict(config.env_config),
            hours=config.model_horizon,
            starts=config.model_batch_size,
            gamma=config.gamma,
            device=self._device,
        )

    @property
    def community(self) -> CommunityRLModule:
        """The community module, without the wrapper that several learners put around it."""
        module: CommunityRLModule = self.module[COMMUNITY].unwrapped()
        return module

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Adam for the critics, ``actor_optimiser`` for the policy (actor and coordinator)."""
        module = self.module[module_id].unwrapped()
        self._rates = {}
        parts: tuple[tuple[str, dict[str, torch.optim.Optimizer], Any], ...] = (
            ("critic", optimisers(module.critics, "adam"), config.critic_lr),
            (
                "actor",
                optimisers(module.policy, config.actor_optimiser, module.policy.actor.last_layers),
                config.actor_lr,
            ),
        )
        for network, made, learning_rate in parts:
            for suffix, optimiser in made.items():
                self._rates[network + suffix] = learning_rate
                self.register_optimizer(
                    module_id=module_id,
                    optimizer_name=network + suffix,
                    optimizer=optimiser,
                    params=optimiser.param_groups[0]["params"],
                    lr_or_lr_schedule=learning_rate,
                )

    def standardise(self, columns: tuple[Any, Any], values: tuple[Any, Any]) -> None:
        """Tell the networks, targets included, means and standard deviations.

        Args:
            columns: of the observation columns, ``[D]`` each.
            values: of buildings' values and of the district's, ``[2]`` each, as rewards come.
        """
        mean, deviation = (torch.as_tensor(moment, device=self._device) for moment in columns)
        self.community.standardise(mean, deviation)
        mean, deviation = (self.config.reward_scale * torch.as_tensor(moment, device=self._device) for moment in values)
        self.community.scale_values(mean, deviation)

    def _uncompiled_update(self, batch: dict[str, Any], **kwargs: Any) -> tuple[Any, Any, dict[str, Any]]:
        # RLlib's own, less the forward pass that it makes before the losses: DDPG's losses make their own.
        losses = self.compute_losses(fwd_out={COMMUNITY: {}}, batch=batch)
        self.apply_gradients(self.postprocess_gradients(self.compute_gradients(losses)))
        return {}, losses, {}

    def _precision(self) -> AbstractContextManager[Any]:
        """Networks in half the bits, if the config says so; the simulation and all sums stay in single precision."""
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=torch.bfloat16)

    def compute_loss_for_module(self, *, module_id: str, config: Any, batch: Batch, fwd_out: dict[str, Any]) -> Tensor:
        """Critics' loss, plus the policy's every ``policy_delay`` gradient steps ([F] sec. 5.2)."""
        module = self.community
        metrics: dict[str, Tensor] = {}
        with self._precision():
            loss = self._critic_loss(module, batch, config, metrics)
            if self._policy_learns():
                expansion = self._expand(module, batch, config)
                if expansion is not None:
                    loss = loss + self._expanded_critic_loss(module, expansion, config, len(batch[Columns.OBS]))
                actor_loss = self._actor_loss(module, batch, config, expansion)
                metrics["actor_loss"] = actor_loss.detach()
                loss = loss + actor_loss
        self.metrics.log_dict(metrics, key=module_id, window=1)
        # A learner that stopped here would leave the others waiting for its gradients: several look at those instead.
        if self.config.num_learners <= 1:
            self._require_finite("loss", loss)
        return loss

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Look up what follows a schedule."""
        super().before_gradient_based_update(timesteps=timesteps)
        steps = timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)
        self._rule_weight = value_at(self.config.rule_weight, steps)
        share = 1.0 - (1.0 - self.config.final_lr_share) * timesteps.get(SHARE_DONE, 0.0)
        for name, rate in self._rates.items():
            self._set_optimizer_lr(self.get_optimizer(COMMUNITY, name), share * value_at(rate, steps))

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Log the learning rates; RLlib's own would set them too, as if they knew nothing of the share that is done."""
        for name in self._rates:
            rate = self.get_optimizer(COMMUNITY, name).param_groups[0]["lr"]
            self.metrics.log_value((COMMUNITY, f"{name}_learning_rate"), float(rate), window=1)

    def _require_finite(self, what: str, value: Tensor) -> None:
        """Refuse to learn from what is no number."""
        if not torch.isfinite(value):
            raise TrainingError(f"The {what} is {value.item()} after {self._gradient_steps} gradient steps. {_LOWER}")

    def _policy_learns(self) -> bool:
        """Whether this gradient step is one of the policy too."""
        past = self._gradient_steps - self.config.critic_warmup_updates
        return past >= 0 and past % self.config.policy_delay == 0

    def _expand(self, module: CommunityRLModule, batch: Batch, config: Any) -> Expansion | None:
        if self._expansion is None:
            return None
        return self._expansion(module, batch, config.reward_scale, self._random)

    def _critic_loss(self, module: CommunityRLModule, batch: Batch, config: Any, metrics: dict[str, Tensor]) -> Tensor:
        """Temporal-difference errors of both critics ([L] eq. 6 with the target of [F] alg. 1)."""
        present = batch.get(PRESENT)
        with torch.no_grad():
            actions = self._smoothed(module.forward_target(batch), batch.get(ACTION_MASK, module.action_mask), config)
            following = smaller_value(list(module.target_critics), batch[Columns.NEXT_OBS], actions, present)
            reward = Value(config.reward_scale * batch[BUILDING_REWARDS], config.reward_scale * batch[DISTRICT_REWARD])
            target = td_target(reward, batch[DISCOUNT], following)
        loss = torch.zeros((), device=reward.district.device)
        values = [Value(*critic(batch[Columns.OBS], batch[Columns.ACTIONS], present)) for critic in module.critics]
        for value in values:
            loss = loss + critic_loss(
                value,
                target,
                decompose=config.decompose_value,
                independent=module.settings.critic == "independent",
                present=present,
                importance=batch.get(IMPORTANCE),
            )
        metrics["critic_loss"] = loss.detach()
        metrics["team_value_mean"] = values[0].team(present).detach().mean()
        if config.replay == "prioritised":
            self.metrics.log_value(
                (COMMUNITY, TD_ERRORS), td_errors(values[0], target, present).detach(), reduce="item_series"
            )
        return loss

    def _expanded_critic_loss(self, module: CommunityRLModule, expansion: Expansion, config: Any, rows: int) -> Tensor:
        """The critics on as many simulated hours as a batch has rows: their returns are free targets, on the policy."""
        chosen = torch.randint(len(expansion.actions), (rows,), generator=self._random, device=expansion.actions.device)
        target = Value(expansion.returns.building[chosen], expansion.returns.district[chosen])
        loss = torch.zeros((), device=chosen.device)
        for critic in module.critics:
            value = Value(*critic(expansion.observations[chosen], expansion.actions[chosen]))
            loss = loss + critic_loss(
                value,
                target,
                decompose=config.decompose_value,
                independent=module.settings.critic == "independent",
            )
        return loss

    def _smoothed(self, actions: Tensor, mask: Tensor, config: Any) -> Tensor:
        """Target policy smoothing: clipped noise on the target's actions ([F] eq. 14)."""
        if not config.target_noise:
            return actions
        noise = torch.randn(actions.shape, generator=self._random, device=actions.device) * config.target_noise
        noise = noise.clamp(-config.target_noise_clip, config.target_noise_clip)
        return (actions + noise * mask).clamp(-1.0, 1.0)

    def _actor_loss(self, module: CommunityRLModule, batch: Batch, config: Any, expansion: Expansion | None) -> Tensor:
        """Deterministic policy gradient: through simulated hours if there are any, else through the first critic.

        [L] eq. 5 and [F] alg. 1, for all agents at once.
        """
        observations, present = batch[Columns.OBS], batch.get(PRESENT)
        rule = module.policy.actor.rule
        clones = config.cloning_weight and IS_DEMONSTRATION in batch
        if expansion is None or clones or (self._rule_weight and rule is not None):
            kept = kept_hints(module, len(observations), self._random, self._device)
            actions = module.act(observations, present, batch.get(ACTION_MASK), kept, policy=module.policy)
        # Frozen, not detached: the gradient has to pass through the critic to the actions, but not into its weights.
        critic = module.critics[0]
        critic.requires_grad_(False)
        if expansion is None:
            objective = Value(*critic(observations, actions, present)).team(present)
        else:
            objective = expansion.objective
        loss = policy_loss(objective, objective if expansion is None else expansion.returns.team())
        if rule is not None and self._rule_weight:
            # Stay near the rule unless the critic is sure: Fujimoto & Gu 2021, "A Minimalist Approach to Offline
            # Reinforcement Learning", eq. 3, with the rule in the place of the data's behaviour.
            away = (actions - rule(zero_absent(observations, present))) * batch.get(ACTION_MASK, module.action_mask)
            squares = away.square() if present is None else masked_mean(away.square(), present)
            loss = loss + self._rule_weight * squares.mean()
        if clones:
            loss = loss + config.cloning_weight * self._cloning_loss(module, batch, actions)
        critic.requires_grad_(True)
        return loss

    def _cloning_loss(self, module: CommunityRLModule, batch: Batch, actions: Tensor) -> Tensor:
        """What the policy does otherwise than the demonstrations, where the critic finds theirs better (Q-filter)."""
        present, observations = batch.get(PRESENT), batch[Columns.OBS]
        with torch.no_grad():
            critic = module.critics[0]
            shown = Value(*critic(observations, batch[Columns.ACTIONS], present)).team(present)
            own = Value(*critic(observations, actions, present)).team(present)
        return cloning_loss(
            actions,
            batch[Columns.ACTIONS],
            batch[IS_DEMONSTRATION],
            keep=shown > own,
            action_mask=batch.get(ACTION_MASK, module.action_mask),
        )

    def compute_gradients(self, loss_per_module: dict[str, Tensor], **kwargs: Any) -> dict[Any, Tensor]:
        """Gradients of what was part of the loss, averaged over learners."""
        gradients = {
            key: gradient
            for key, gradient in super().compute_gradients(loss_per_module, **kwargs).items()
            if gradient is not None
        }
        if self.config.num_learners > 1:
            # The losses call the networks directly, so the wrapper's own averaging does not see them.
            average_over_learners(list(gradients.values()))
            self._require_finite("sum of gradients", torch.stack([gradient.sum() for gradient in gradients.values()]).sum())
        return gradients

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """Step the optimisers, then let the targets follow every ``policy_delay`` gradient steps ([F] alg. 1)."""
        self._step_optimisers(gradients_dict)
        if self._gradient_steps % self.config.policy_delay == 0:
            with torch.no_grad():
                for network, target in self.community.get_target_network_pairs():
                    torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), self.config.tau)
        self._gradient_steps += 1

    def _step_optimisers(self, gradients: dict[Any, Tensor]) -> None:
        """RLlib's own steps, without its look at every gradient by itself, which sets to zero what is not finite."""
        if self._grad_scalers is not None or self._lr_scheduler_classes is not None:
            super().apply_gradients(gradients)
            return
        if not all_finite(list(gradients.values())):
            raise TrainingError(f"A gradient is not finite after {self._gradient_steps} gradient steps. {_LOWER}")
        for key, gradient in gradients.items():
            self._params[key].grad = gradient
        for optimiser in self._named_optimizers.values():
            optimiser.step()

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, the count of gradient steps and the random state."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        state[_STEPS] = self._gradient_steps
        state[_RANDOM] = self._random.get_state().numpy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``; learners but the first, and those on another kind of device, draw new numbers.

        Raises:
            CheckpointError: its optimisers step other weights than this version's.
        """
        try:
            super().set_state(state)
        except ValueError as error:
            if "parameter group" not in str(error):
                raise
            raise CheckpointError(
                "The checkpoint's optimisers step other weights than this version's: actor_optimiser 'muon' now leaves the "
                "layers that lead to actions to Adam. Start the run anew, or go on with the version that wrote it; its "
                "policy can still be evaluated and exported."
            ) from error
        if _STEPS in state:
            self._gradient_steps = state[_STEPS]
            saved = torch.as_tensor(state[_RANDOM])
            if self._learner_index or saved.numel() != self._random.get_state().numel():
                self._random.manual_seed((self.config.seed or 0) + self._learner_index + 7919 * self._gradient_steps)
            else:
                self._random.set_state(saved)
