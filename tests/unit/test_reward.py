"""The team reward against KPIs computed another way."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from rllib_citylearn.env.reference import NoControl
from rllib_citylearn.env.reward import LEAST_PEAK, TERMS, RewardBuffers, RewardWeights, TeamReward
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

STEPS, BUILDINGS = 2 * HOURS_A_MONTH + 100, 3
WEIGHTS = RewardWeights()


@pytest.fixture(scope="module")
def reference() -> NoControl:
    random = np.random.default_rng(0)
    shape = (STEPS, BUILDINGS)
    daily = np.sin(np.arange(STEPS) * 2 * np.pi / 24)[:, None]
    net = 1.5 + daily + random.normal(0, 0.7, shape)
    missing = np.where(random.random(shape) < 0.05, random.uniform(2, 8, shape), 0.0)
    discomfort = np.maximum(random.normal(-1, 1, shape), 0.0)
    given_up = np.where(random.random(shape) < 0.02, random.uniform(0.5, 3, shape), 0.0)
    service = np.stack([missing, discomfort, given_up], 2)
    return NoControl(100, net, random.uniform(0.2, 0.5, shape), random.uniform(0.05, 0.3, shape), service)


def run(reference, net, weights=WEIGHTS, first=0, service=None):
    """All terms of an episode that starts at row ``first``: building [T, N], district [T], named {name: [T]}."""
    reward = TeamReward(reference, weights)
    step = np.array([reference.first_step + first])
    state = reward.start(step)
    service = reference.service[first:] if service is None else service
    rows = [after(reward, step + t, net[None, t], service[None, t], state) for t in range(len(net))]
    terms = np.array([r.terms[0] for r in rows])
    return (
        np.array([r.building[0] for r in rows]),
        np.array([r.district[0] for r in rows]),
        {name: terms[:, i] for i, name in enumerate(TERMS)},
        np.array([r.team[0] for r in rows]),
    )


def after(reward, step, net, service, state) -> RewardBuffers:
    """The reward of one hour, in arrays of its own."""
    out = RewardBuffers.empty(*net.shape)
    reward.step(step, net, service, state, out)
    return out


def served(reference):
    """Half of the missing charge is charged, a quarter of the cycles' energy is drawn, some hours are less comfortable than
    before and some more."""
    service = reference.service * [0.5, 0.8, 0.75]
    service[::7, :, 1] += 0.3
    return service


def controlled(reference):
    net = reference.net_kwh
    # Moves load between hours and loses a little, as a battery would.
    return 0.6 * net + 0.4 * np.roll(net, 3, axis=0) + 0.01


def owed(reference, month):
    """kW that serving people adds to the district's mean over a month: what they lack without control."""
    return reference.service[month][:, :, [0, 2]].sum() / (month.stop - month.start)


def kpis(reference, net):
    """CityLearn's district KPIs over no control, straight from their definitions."""
    base = reference.net_kwh
    positive, base_positive = np.maximum(net, 0), np.maximum(base, 0)

    def ratio(rate):
        return float(np.mean((positive * rate).sum(0) / (base_positive * rate).sum(0)))

    def ramping(x):
        return np.maximum(np.diff(x.sum(1)), 0).sum()

    return {
        "cost": ratio(reference.price),
        "carbon": ratio(reference.carbon),
        "electricity": ratio(np.ones_like(net)),
        "ramping": float(ramping(net) / ramping(base)),
    }


@pytest.mark.parametrize("first", [0, 5, HOURS_A_MONTH - 3])
def test_no_control_earns_exactly_nothing(reference, first):
    building, district, named, team = run(reference, reference.net_kwh[first:], first=first)
    assert not building.any()
    assert not district.any()
    assert not team.any()
    assert not any(values.any() for values in named.values())


def test_terms_average_to_one_minus_the_kpi(reference):
    net = controlled(reference)
    _, _, named, _ = run(reference, net)
    expected = kpis(reference, net)
    for name in ("cost", "carbon", "electricity"):
        assert named[name].mean() == pytest.approx(1 - expected[name], abs=1e-12)
    # The first hour has no hour before it, in the reference as here.
    assert named["ramping"].mean() == pytest.approx(1 - expected["ramping"], abs=2e-3)


def test_peak_payments_of_a_month_add_up_to_its_load_factor(reference):
    net = controlled(reference)
    _, _, named, _ = run(reference, net)
    base = reference.net_kwh.sum(1)
    months = [slice(i, min(i + HOURS_A_MONTH, STEPS)) for i in range(0, STEPS, HOURS_A_MONTH)]
    reference_sum = sum(1 - base[m].mean() / base[m].max() for m in months)
    for month in months:
        mean = base[month].mean() + owed(reference, month)
        saved = (1 - mean / base[month].max()) - (1 - mean / net.sum(1)[month].max())
        assert named["load_factor"][month].sum() == pytest.approx(saved / reference_sum * STEPS, rel=1e-9)


def test_terms_add_up_to_the_reward_and_the_district_belongs_to_nobody(reference):
    building, district, named, team = run(reference, controlled(reference), service=served(reference))
    assert np.allclose(team, building.mean(1) + district)
    weighted = sum(getattr(WEIGHTS, name) * values for name, values in named.items())
    assert np.allclose(team, weighted)


@pytest.mark.parametrize("name", list(asdict(WEIGHTS)))
def test_doubling_a_weight_doubles_its_term(reference, name):
    net = controlled(reference)[:60]
    only = RewardWeights(**{**dict.fromkeys(asdict(WEIGHTS), 0.0), name: 0.3})
    twice = replace(only, **{name: 0.6})
    once, doubled = (run(reference, net, w, service=served(reference))[3] for w in (only, twice))
    assert np.allclose(2 * once, doubled)
    assert np.abs(once).max() > 0


def test_departures_and_appliances_average_to_the_share_that_was_served_and_comfort_to_degrees(reference):
    _, _, named, _ = run(reference, reference.net_kwh, service=served(reference))
    assert named["departure"].mean() == pytest.approx(0.5, abs=1e-12)
    assert named["appliance"].mean() == pytest.approx(0.25, abs=1e-12)
    assert named["comfort"].mean() == pytest.approx((reference.service - served(reference))[:, :, 1].mean(), abs=1e-12)


def test_a_building_is_paid_for_its_own_vehicles_rooms_and_appliances(reference):
    service = reference.service.copy()
    service[:, 1] = 0.0  # building 1 serves everybody, the others as without control
    building, district, _, _ = run(reference, reference.net_kwh, service=service)
    assert not building[:, [0, 2]].any()
    assert not district.any()
    assert (building[:, 1] >= 0).all()
    assert building[:, 1].sum() > 0


def test_without_anybody_to_serve_the_terms_are_zero(reference):
    plain = replace(reference, service=np.zeros((0, BUILDINGS, 3)))
    _, _, named, team = run(plain, controlled(reference)[:50], service=served(reference))
    assert not named["departure"].any()
    assert not named["comfort"].any()
    assert not named["appliance"].any()
    assert np.isfinite(team).all()


def test_parallel_communities_do_not_touch_each_other(reference):
    net = controlled(reference)
    reward = TeamReward(reference, WEIGHTS)
    first = np.array([0, 700, 31])
    state = reward.start(reference.first_step + first)
    team = []
    for t in range(60):
        rows = first + t
        team.append(after(reward, reference.first_step + rows, net[rows], reference.service[rows], state).team)
    together = np.array(team).T
    for e, start in enumerate(first):
        assert np.array_equal(together[e], run(reference, net[start : start + 60], first=start)[3])


def test_a_building_without_a_bill_changes_nothing_but_the_district(reference):
    exporting = reference.net_kwh.copy()
    exporting[:, 1] = -1.0
    building, *_ = run(replace(reference, net_kwh=exporting), exporting + 0.5)
    assert np.isfinite(building).all()
    assert not building[:, 1].any()


@pytest.mark.parametrize(
    "weights", [{"cost": -1}, {"cost": float("nan")}, dict.fromkeys(asdict(WEIGHTS), 0.0), {"comfrt": 1}]
)
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(ConfigError, match=r"weight|term"):
        RewardWeights.from_dict(weights)


def test_weights_that_pay_for_nothing_the_community_has_are_refused(reference):
    nothing = dict.fromkeys(asdict(WEIGHTS), 0.0)
    plain = replace(reference, service=np.zeros((0, BUILDINGS, 3)))
    for name in ("departure", "comfort", "appliance"):
        only = RewardWeights(**{**nothing, name: 1.0})
        TeamReward(reference, only)
        with pytest.raises(ConfigError, match="every reward would be zero; give one of cost"):
            TeamReward(plain, only)


def test_a_month_that_exports_until_people_are_served_does_not_pay_for_high_peaks(reference):
    """Sun of 17 homes outweighs their load in late summer; with vehicles charged it does not."""
    exporting = replace(reference, net_kwh=reference.net_kwh - reference.net_kwh.sum(1).mean() / BUILDINGS - 0.1)
    month = slice(0, HOURS_A_MONTH)
    assert exporting.net_kwh[month].sum(1).mean() < 0.0 < exporting.net_kwh[month].sum(1).mean() + owed(exporting, month)
    high = exporting.net_kwh[month].copy()
    high[400] += exporting.net_kwh.max()
    flat = exporting.net_kwh[month]
    saved = [run(exporting, net)[2]["load_factor"].sum() for net in (flat, high)]
    assert saved[1] < saved[0]


def test_an_episode_within_a_month_takes_over_a_peak_that_counts_what_people_draw(reference):
    """Three quarters of the highest uncontrolled load so far, with the energy that people lack on top."""
    plain = replace(reference, service=np.zeros((0, BUILDINGS, 3)))
    first, month = 300, slice(0, HOURS_A_MONTH)
    peaks = [TeamReward(r, WEIGHTS).start(np.array([r.first_step + first]))[0, 2] for r in (plain, reference)]
    assert peaks[0] == pytest.approx(0.75 * reference.net_kwh.sum(1)[:first].max())
    assert peaks[1] - peaks[0] == pytest.approx(0.75 * owed(reference, month))


def test_peaks_lower_than_anybody_leaves_are_paid_for_once(reference):
    """Within a month the way up to ``LEAST_PEAK`` of the uncontrolled peak costs nothing; beyond it every kWh does."""
    month = slice(HOURS_A_MONTH, 2 * HOURS_A_MONTH)
    base = reference.net_kwh.sum(1)
    least = max(LEAST_PEAK * (base[month].max() + owed(reference, month)), base[month].mean() + owed(reference, month))
    buildings = reference.net_kwh.shape[1]
    loads = np.linspace(0.0, 1.2 * least, 40)
    net = np.repeat(loads[:, None] / buildings, buildings, 1)
    paid = (
        run(reference, net, first=month.start)[2]["load_factor"]
        - run(reference, np.zeros_like(net), first=month.start)[2]["load_factor"]
    )
    below = loads[1:] <= least
    assert below.sum() > 20
    assert np.allclose(paid[1:][below], 0.0, atol=1e-12)
    assert (paid[1:][~below] < 0.0).all()
