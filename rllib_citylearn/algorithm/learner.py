"""The learner: twin critics, deterministic policy gradient, slowly following targets.

Equation numbers refer to

* [L] Lowe et al. 2017, "Multi-Agent Actor-Critic for Mixed Cooperative-Competitive Environments" (MADDPG);
* [F] Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (TD3).

With one team reward all agents share one critic, so [L]'s N critics fall into one (per twin).
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from torch import Tensor
from torch.nn import functional

from rllib_citylearn.algorithm.names import BUILDING_REWARDS, COMMUNITY, DISCOUNT, DISTRICT_REWARD
from rllib_citylearn.errors import TrainingError
from rllib_citylearn.modules.community_module import CommunityRLModule
from rllib_citylearn.modules.networks import team_value

_STEPS = "gradient_steps"
_RANDOM = "random"


class CooperativeMADDPGLearner(TorchLearner):
    """Learner of the community module. Counts gradient steps itself: targets and policy delays follow them."""

    def build(self) -> None:
        """Create module, targets, optimisers and the random generator of this learner."""
        super().build()
        self.community.make_target_networks()
        self._gradient_steps = 0
        self._random = torch.Generator(device=self._device)
        self._random.manual_seed((self.config.seed or 0) + self._learner_index)

    @property
    def community(self) -> CommunityRLModule:
        """The community module, without the wrapper that several learners put around it."""
        module: CommunityRLModule = self.module[COMMUNITY].unwrapped()
        return module

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One Adam for the critics, one for the policy (actor and coordinator)."""
        module = self.module[module_id].unwrapped()
        for name, network, learning_rate in (
            ("critic", module.critics, config.critic_lr),
            ("actor", module.policy, config.actor_lr),
        ):
            parameters = list(network.parameters())
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=torch.optim.Adam(parameters),
                params=parameters,
                lr_or_lr_schedule=learning_rate,
            )

    def _uncompiled_update(self, batch: dict[str, Any], **kwargs: Any) -> tuple[Any, Any, dict[str, Any]]:
        # RLlib's own, less the forward pass that it makes before the losses: DDPG's losses make their own.
        losses = self.compute_losses(fwd_out={COMMUNITY: {}}, batch=batch)
        self.apply_gradients(self.postprocess_gradients(self.compute_gradients(losses)))
        return {}, losses, {}

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Any]
    ) -> Tensor:
        """Critics' loss, plus the policy's every ``policy_delay`` gradient steps ([F] sec. 5.2)."""
        module = self.community
        critic_loss, values = self._critic_loss(module, batch, config)
        metrics = {"critic_loss": critic_loss.detach(), "team_value_mean": values.detach().mean()}
        loss = critic_loss
        if self._policy_learns():
            actor_loss = self._actor_loss(module, batch, config)
            metrics["actor_loss"] = actor_loss.detach()
            loss = loss + actor_loss
        self.metrics.log_dict(metrics, key=module_id, window=1)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is {float(loss)} after {self._gradient_steps} gradient steps; the last checkpoint still holds "
                "the weights from before. Lower the learning rates or set grad_clip."
            )
        return loss

    def _policy_learns(self) -> bool:
        """Whether this gradient step is one of the policy too."""
        past = self._gradient_steps - self.config.critic_warmup_updates
        return past >= 0 and past % self.config.policy_delay == 0

    def _critic_loss(self, module: CommunityRLModule, batch: dict[str, Any], config: Any) -> tuple[Tensor, Tensor]:
        """Temporal-difference errors of both critics ([L] eq. 6 with the target of [F] alg. 1).

        Huber's loss instead of the square: rewards have rare large values (a month's new peak, a steep ramp) that would
        drown what an ordinary hour teaches.
        """
        with torch.no_grad():
            actions = self._smoothed(module.forward_target(batch), module, config)
            targets = [critic(batch[Columns.NEXT_OBS], actions) for critic in module.target_critics]
            discount = batch[DISCOUNT]
            # [F] eq. 10 on the team's value: all parts come from the critic whose sum is smaller. The minimum of every
            # part by itself would add up to far less than either estimate.
            smaller = team_value(*targets[0]) < team_value(*targets[1])
            building = torch.where(smaller.unsqueeze(-1), targets[0][0], targets[1][0])
            district = torch.where(smaller, targets[0][1], targets[1][1])
            target_building = config.reward_scale * batch[BUILDING_REWARDS] + discount.unsqueeze(-1) * building
            target_district = config.reward_scale * batch[DISTRICT_REWARD] + discount * district
        loss = torch.zeros((), device=discount.device)
        values = torch.zeros((), device=discount.device)
        for critic in module.critics:
            building, district = critic(batch[Columns.OBS], batch[Columns.ACTIONS])
            values = team_value(building, district)
            if config.decompose_value:
                loss = loss + functional.smooth_l1_loss(building, target_building)
                loss = loss + functional.smooth_l1_loss(district, target_district)
            else:
                loss = loss + functional.smooth_l1_loss(values, team_value(target_building, target_district))
        return loss, values

    def _smoothed(self, actions: Tensor, module: CommunityRLModule, config: Any) -> Tensor:
        """Target policy smoothing: clipped noise on the target's actions ([F] eq. 14)."""
        if not config.target_noise:
            return actions
        noise = torch.randn(actions.shape, generator=self._random, device=actions.device) * config.target_noise
        noise = noise.clamp(-config.target_noise_clip, config.target_noise_clip)
        return (actions + noise * module.action_mask).clamp(-1.0, 1.0)

    def _actor_loss(self, module: CommunityRLModule, batch: dict[str, Any], config: Any) -> Tensor:
        """Deterministic policy gradient through the first critic ([L] eq. 5, [F] alg. 1), for all agents at once."""
        observations = batch[Columns.OBS]
        hints = module.policy.hints(observations)
        if module.settings.hint_dropout and hints.shape[-1]:
            kept = torch.rand(len(hints), 1, 1, generator=self._random, device=hints.device)
            hints = hints * (kept >= module.settings.hint_dropout)
        actions = module.policy.actor(observations, hints) * module.action_mask
        # Frozen, not detached: the gradient has to pass through the critic to the actions, but not into its weights.
        critic = module.critics[0]
        critic.requires_grad_(False)
        building, district = critic(observations, actions)
        critic.requires_grad_(True)
        value = team_value(building, district)
        # A unit of value is the batch's spread, so that step sizes do not depend on the rewards' scale.
        loss = -value.mean() / value.detach().std(correction=0).clamp(min=1e-3)
        rule = module.policy.actor.rule
        if config.rule_weight and rule is not None:
            # Stay near the rule unless the critic is sure: Fujimoto & Gu 2021, "A Minimalist Approach to Offline
            # Reinforcement Learning", eq. 3, with the rule in the place of the data's behaviour.
            loss = loss + config.rule_weight * ((actions - rule(observations)) * module.action_mask).square().mean()
        return loss

    def compute_gradients(self, loss_per_module: dict[str, Tensor], **kwargs: Any) -> dict[Any, Tensor]:
        """Gradients of what was part of the loss, averaged over learners."""
        gradients = {
            key: gradient
            for key, gradient in super().compute_gradients(loss_per_module, **kwargs).items()
            if gradient is not None
        }
        if self.config.num_learners > 1:
            # The losses call the networks directly, so the wrapper's own averaging does not see them.
            for gradient in gradients.values():
                torch.distributed.all_reduce(gradient, op=torch.distributed.ReduceOp.AVG)
        return gradients

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """Step the optimisers, then let the targets follow every ``policy_delay`` gradient steps ([F] alg. 1)."""
        super().apply_gradients(gradients_dict)
        if self._gradient_steps % self.config.policy_delay == 0:
            with torch.no_grad():
                for network, target in self.community.get_target_network_pairs():
                    torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), self.config.tau)
        self._gradient_steps += 1

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, the count of gradient steps and the random state."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        state[_STEPS] = self._gradient_steps
        state[_RANDOM] = self._random.get_state().numpy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``."""
        super().set_state(state)
        if _STEPS in state:
            self._gradient_steps = state[_STEPS]
            self._random.set_state(torch.as_tensor(state[_RANDOM]))
