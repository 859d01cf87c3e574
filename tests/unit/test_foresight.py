"""Acting with most columns computed ahead is acting: the policy itself is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.foresight import Foresight
from rllib_citylearn.modules.policy import Policy
from rllib_citylearn.modules.standardisation import Standardisation
from tests.networks import N, community, layout, trained_like, with_chargers

HOURS, COPIES = 4, 3
COLUMNS = community().columns


def policy_of(**settings: object) -> Policy:
    policy = trained_like(Policy(layout(), CommunityModuleConfig.from_dict({"reach": 0.5, **settings})))
    torch.manual_seed(2)
    for part in policy.modules():
        if isinstance(part, Standardisation):
            part.fit(torch.rand(len(COLUMNS)) - 0.5, torch.rand(len(COLUMNS)))
    return policy


@pytest.mark.parametrize("changing", [("electrical_storage_soc",), ("solar_generation", "electrical_storage_soc"), ()])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rule": "none"},
        {"coordinator": "none"},
        {"coordinator": "mean-field"},
        {"coordinator": "means"},
        {"coordinator": "attention"},
        {"actors": "separate"},
    ],
    ids=str,
)
def test_actions_and_gradients_are_the_policys(settings, changing):
    policy = policy_of(**settings)
    columns = torch.tensor([COLUMNS.index(name) for name in changing], dtype=torch.int64)
    observations = torch.rand(HOURS, COPIES, N, len(COLUMNS)) * 2 - 1
    kept = torch.tensor([1.0, 0.0, 1.0]).view(COPIES, 1, 1)
    values = [observations[h].index_select(-1, columns).requires_grad_() for h in range(HOURS)]
    whole = [observations[h].index_copy(-1, columns, values[h]) for h in range(HOURS)]
    wanted = torch.stack([policy(seen, kept=kept) for seen in whole])
    # What the changing columns hold beforehand does not matter.
    rule = policy.actor.rule
    rule_ahead = rule is None or rule.columns.isdisjoint(columns.tolist())
    ahead = Foresight(policy, observations.index_fill(-1, columns, torch.nan), columns, rule_ahead=rule_ahead)
    found = torch.stack([ahead.actions(h, values[h], kept) for h in range(HOURS)])
    assert torch.allclose(found, wanted, atol=1e-6)
    inputs = [*policy.parameters(), *(values if changing else [])]
    weights = torch.rand_like(wanted)
    gradients = [torch.autograd.grad((actions * weights).sum(), inputs) for actions in (wanted, found)]
    assert any(gradient.any() for gradient in gradients[0])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("rule_ahead", [True, False])
def test_networks_may_compute_with_half_the_digits(rule_ahead):
    policy = policy_of()
    columns = torch.tensor([COLUMNS.index("electrical_storage_soc")])
    observations = torch.rand(HOURS, COPIES, N, len(COLUMNS)) * 2 - 1
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        ahead = Foresight(policy, observations, columns, rule_ahead=rule_ahead)
        found = [ahead.actions(h, observations[h].index_select(-1, columns)) for h in range(HOURS)]
    wanted = policy(observations.flatten(0, 1)).unflatten(0, (HOURS, COPIES))
    assert torch.allclose(torch.stack(found).float(), wanted, atol=0.03)


def test_a_guard_that_reads_what_changes_is_the_policys():
    features = with_chargers(0.0, 7.0, 7.0)
    policy = trained_like(Policy(layout(features), CommunityModuleConfig(hint_size=4)))
    random = np.random.default_rng(3)
    rows = [[1.0, random.uniform(), 0.9, random.integers(1, 9), 50.0] for _ in range(3 * HOURS)]
    observations = torch.stack([torch.from_numpy(features.encode(rows[3 * h : 3 * h + 3])) for h in range(HOURS)]).unsqueeze(
        1
    )
    columns = torch.tensor([features.columns.index("connected_at_charger_1_soc")])
    ahead = Foresight(policy, observations.index_fill(-1, columns, torch.nan), columns, rule_ahead=False)
    found = torch.stack([ahead.actions(h, observations[h].index_select(-1, columns)) for h in range(HOURS)])
    assert torch.allclose(found, torch.stack([policy(seen) for seen in observations]), atol=1e-6)
    least = policy.actor.guard(observations)
    assert ((found - least).abs() < 1e-6).any(), "the guard has to bind somewhere in this test"
    assert (found > least + 1e-3).any()
