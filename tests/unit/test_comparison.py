"""Comparisons: scores from stretches, paired intervals, ranks and shares."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.bootstrap import FEWEST, Interval, drawn_scores
from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison
from rllib_citylearn.evaluation.comparison_table import comparison_table
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.score import Score
from rllib_citylearn.evaluation.stretches import TERMS, Stretches, score_of
from rllib_citylearn.evaluation.totals import totals_of
from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

BUILDINGS = 3


def path(net: FloatArray, reference: FloatArray, seed: int = 0) -> Trajectory:
    """A trajectory with these loads, made-up prices and carbon intensities."""
    random, shape = np.random.default_rng(seed), net.shape
    days = np.arange(len(net))
    return Trajectory(
        buildings=tuple(f"Building_{n}" for n in range(shape[1])),
        window=(0, len(net)),
        seconds_per_time_step=3600.0,
        net_electricity_consumption_kwh=net,
        no_control_net_kwh=reference,
        charging_kwh=np.zeros(shape),
        soc=np.zeros(shape),
        actions={},
        price=random.uniform(0.1, 0.5, shape),
        carbon=random.uniform(0.05, 0.3, shape),
        month=days // 730 + 1,
        day_type=days // 24 % 7 + 1,
        hour=days % 24 + 1,
    )


def loads(months: int = 8, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(1.0, 2.0, (730 * months - 1, BUILDINGS))


def evaluation(name: str, net: FloatArray, reference: FloatArray, seed: int = 2022) -> Evaluation:
    """One whose score is that of its loads."""
    trajectory = path(net, reference)
    score = float(Stretches.of(trajectory).scores()[0])
    return Evaluation(
        policy=name,
        data={"name": "made_up"},
        engine="fast",
        seed=seed,
        score=Score(score if np.isfinite(score) else None, None, None if np.isfinite(score) else "nothing to divide by"),
        kpis={"cost_total": score if np.isfinite(score) else None},
        building_kpis={},
        totals=totals_of(trajectory),
        no_control=totals_of(trajectory, reference),
        course=Course.of(trajectory),
    )


def scaled(name: str, factor: float, months: int = 8, seed: int = 2022) -> Evaluation:
    reference = loads(months)
    return evaluation(name, factor * reference, reference, seed)


def test_each_stretch_once_is_the_score_and_order_does_not_matter() -> None:
    reference = loads()
    stretches = Stretches.of(path(np.clip(reference, -1.0, 3.0), reference))
    whole = stretches.scores()[0]
    assert stretches.scores(np.ones((1, len(stretches))))[0] == whole
    assert stretches.scores(np.full((1, len(stretches)), 7.0))[0] == pytest.approx(whole, rel=1e-12)


def test_a_drawn_year_is_the_year_made_of_these_months() -> None:
    months, reference = 4, loads(4)
    reference = np.vstack([reference, reference[:1]])  # whole months
    net = np.clip(reference, -1.0, 3.0)
    counts = np.array([2.0, 0.0, 1.0, 1.0])
    drawn = Stretches.of(path(net, reference)).terms(counts[None])[0]
    order = np.concatenate([np.arange(730 * m, 730 * (m + 1)) for m, k in enumerate(counts) for _ in range(int(k))])
    trajectory = path(net, reference)
    made = path(net[order], reference[order])
    object.__setattr__(made, "price", trajectory.price[order])
    object.__setattr__(made, "carbon", trajectory.carbon[order])
    expected = Stretches.of(made).terms()[0]
    np.testing.assert_allclose(drawn[[0, 1, 3]], expected[[0, 1, 3]], rtol=1e-12)
    # Only the step from one month to the next differs: it belongs to other neighbours.
    assert drawn[2] == pytest.approx(expected[2], rel=0.01)
    assert months == len(counts)


def test_nothing_over_nothing_is_one_and_something_over_nothing_has_no_ratio() -> None:
    reference = loads(2)
    reference[:, 0] = -1.0  # never imports
    untouched = Stretches.of(path(reference.copy(), reference))
    assert untouched.terms()[0] == pytest.approx([1.0, 1.0, 1.0, 1.0])
    net = reference.copy()
    net[5, 0] = 2.0
    cost, carbon, *_ = Stretches.of(path(net, reference)).terms()[0]
    assert (cost, carbon) == (1.0, 1.0)  # the mean of the buildings that have a ratio
    alone = Stretches.of(path(net[:, :1], reference[:, :1]))
    assert np.isnan(alone.terms()[0][:2]).all()


def test_equal_controllers_differ_by_nothing_and_pairs_are_tighter_than_single_scores() -> None:
    one, same, other = (
        evaluation(name, np.clip(loads(), -1.0, highest), loads())
        for name, highest in (("one", 2.9), ("same", 2.9), ("other", 3.0))
    )
    community = Comparison.of([one, same, other]).communities[0]
    equal = community.difference("one", "same")
    assert equal is not None
    assert equal.interval is not None
    assert (equal.mean, equal.interval.low, equal.interval.high, equal.share_better) == (0.0, 0.0, 0.0, 0.0)
    paired, single = community.difference("other", "one"), community.contenders[2].interval
    assert paired is not None
    assert paired.interval is not None
    assert single is not None
    assert paired.interval.high - paired.interval.low < 0.7 * (single.high - single.low)
    assert paired.interval.low <= paired.mean <= paired.interval.high


def test_intervals_cover_what_they_should() -> None:
    """Of many years drawn from the same months, 95% intervals hold the true score in nearly as many as they say."""
    held = 0
    truth = float(Stretches.of(path(np.clip(loads(400, 5), -1.0, 3.0), loads(400, 5))).scores()[0])
    for seed in range(100):
        reference = loads(12, 1000 + seed)
        trajectory = path(np.clip(reference, -1.0, 3.0), reference, seed=0)
        draws = drawn_scores([[Stretches.of(trajectory)]], draws=400)
        assert draws is not None
        interval = Interval.of(draws)
        held += interval.low <= truth <= interval.high
    assert 80 <= held <= 100


def test_seeds_and_runs_widen_the_interval_and_enter_the_mean() -> None:
    reference = loads()
    runs = tuple(tuple(evaluation("ours", factor * reference, reference, seed) for factor in (0.7, 0.9)) for seed in (1, 2))
    contender = Contender("ours", runs)
    single = Contender("ours", ((runs[0][0],),))
    assert contender.score == pytest.approx(np.mean([e.score.score for of_seed in runs for e in of_seed]))
    assert contender.worst == max(e.score.score or 0.0 for of_seed in runs for e in of_seed)
    assert contender.interval is not None
    assert single.interval is not None
    assert contender.interval.high - contender.interval.low > single.interval.high - single.interval.low
    assert contender.shown in runs[0]


def test_the_same_year_told_twice_is_no_more_of_other_months() -> None:
    stretches = Stretches.of(path(np.clip(loads(12), -1.0, 3.0), loads(12)))
    widths = []
    for seeds in (1, 2, 10):
        draws = drawn_scores([[stretches]] * seeds)
        assert draws is not None
        widths.append(Interval.of(draws).high - Interval.of(draws).low)
    np.testing.assert_allclose(widths, widths[0])


def test_training_runs_of_different_policies_are_not_pairs_and_more_of_them_say_more() -> None:
    reference = loads(12)

    def runs(name: str, factors: tuple[float, ...]) -> Contender:
        return Contender(name, (tuple(evaluation(name, factor * reference, reference) for factor in factors),))

    def difference(second: tuple[float, ...]) -> tuple[float, float]:
        community = CommunityComparison("", "", (2022,), (runs("ours", (0.7, 0.9)), runs("theirs", second)))
        found = community.difference("ours", "theirs")
        assert found is not None
        assert found.interval is not None
        return found.interval.low, found.interval.high

    # Which of a policy's runs stands first means nothing.
    np.testing.assert_allclose(difference((0.72, 0.92)), difference((0.92, 0.72)), atol=0.02)
    assert difference((0.72, 0.92))[0] < -0.05 < 0.05 < difference((0.72, 0.92))[1]
    few, many = runs("few", (0.7, 0.8, 0.9)).interval, runs("many", (0.7, 0.8, 0.9) * 4).interval
    assert few is not None
    assert many is not None
    assert many.high - many.low < 0.7 * (few.high - few.low)


def test_a_short_window_has_no_interval_and_the_table_says_why() -> None:
    comparison = Comparison.of([scaled("one", 0.8, FEWEST - 1), scaled("no-control", 1.0, FEWEST - 1)])
    assert comparison.communities[0].contenders[0].interval is None
    difference = comparison.communities[0].difference("one", "no-control")
    assert difference is not None
    assert difference.interval is None
    assert "Intervals take at least" in comparison_table(comparison)


def test_the_possible_is_what_foresight_saves() -> None:
    comparison = Comparison.of([scaled("one", 0.9), scaled("foresight", 0.8), scaled("no-control", 1.0)])
    community = comparison.communities[0]
    one, bound, nothing = (c.shown for c in community.contenders)
    assert bound.share_of_possible == 1.0
    assert nothing.share_of_possible == pytest.approx(0.0, abs=1e-9)
    assert one.share_of_possible == pytest.approx((1 - (one.score.score or 0)) / (1 - (bound.score.score or 0)))
    assert community.share_of_possible("one") == pytest.approx(one.share_of_possible)
    without = Comparison.of([scaled("one", 0.9)]).communities[0]
    assert without.share_of_possible("one") is None
    useless = Comparison.of([scaled("one", 0.9), scaled("foresight", 1.1)]).communities[0]
    assert useless.share_of_possible("one") is None


def test_contenders_without_a_score_come_last_and_say_why() -> None:
    reference = loads()
    reference[:] = -1.0
    net = reference.copy()
    net[:100] = 1.0
    broken = evaluation("broken", net, reference)
    comparison = Comparison.of([broken, evaluation("fine", loads() * 0.9, loads())])
    assert [c.name for c in comparison.communities[0].ranked] == ["fine", "broken"]
    text = comparison_table(comparison)
    assert "broken: nothing to divide by" in text
    assert "nan" not in text.lower()
    content = comparison.to_dict()["communities"][0]["contenders"]
    assert content[1]["score"] is None
    assert content[1]["reason"] == "nothing to divide by"


def test_what_cannot_be_compared_is_refused() -> None:
    one = scaled("one", 0.8)
    with pytest.raises(ConfigError, match="nothing to compare"):
        Comparison.of([])
    with pytest.raises(ConfigError, match="different names"):
        Comparison.of([one, one])
    with pytest.raises(ConfigError, match="different buildings, windows or seeds"):
        Comparison.of([one, scaled("two", 0.8, months=7)])


def test_totals_of_buildings_add_up_to_the_districts() -> None:
    reference = loads(2)
    totals = totals_of(path(reference, reference))
    for name in ("cost", "carbon_kg", "imported_kwh", "exported_kwh"):
        each = sum(getattr(building, name) for building in totals.buildings.values())
        assert getattr(totals.district, name) == pytest.approx(each)
    district = reference.sum(1)
    assert totals.district.peak_kw == district.max()
    assert totals.district.peak_kw <= sum(building.peak_kw for building in totals.buildings.values())
    assert totals.district.ramping_kw == pytest.approx(np.maximum(np.diff(district), 0).mean())


def test_a_community_is_described_in_json() -> None:
    comparison = Comparison.of([scaled("one", 0.8), scaled("no-control", 1.0)], label="here", note="one is new.")
    community: CommunityComparison = comparison.communities[0]
    content = comparison.to_dict()["communities"][0]
    assert (content["label"], content["note"], content["seeds"]) == ("here", "one is new.", [2022])
    assert content["buildings"] == list(community.contenders[0].shown.course.buildings)
    assert [c["policy"] for c in content["contenders"]] == ["one", "no-control"]
    assert content["contenders"][0]["interval"][0] <= content["contenders"][0]["score"]


def test_terms_have_intervals_and_the_scores_is_made_of_them() -> None:
    reference = loads(12)
    one = Contender("one", ((evaluation("one", np.clip(reference, -1.0, 2.0), reference),),))
    terms = one.shown.stretches.terms()[0]
    assert one.drawn_terms is not None
    assert one.draws is not None
    np.testing.assert_allclose(one.draws, score_of(one.drawn_terms))
    np.testing.assert_array_equal(one.draws, drawn_scores([[one.shown.stretches]], name="one"))
    for k, term in enumerate(TERMS):
        interval = one.term_intervals[term]
        assert interval is not None
        assert interval.low < terms[k] < interval.high
        assert [interval.low, interval.high] == list(np.percentile(one.drawn_terms[:, k], [2.5, 97.5]))


def test_a_term_without_a_ratio_takes_no_interval_from_the_others() -> None:
    reference = loads(12)
    reference[:] = -np.abs(reference)  # nobody imports without control
    net = reference.copy()
    net[::50] = 1.0
    one = Contender("one", ((evaluation("one", net, reference),),))
    assert one.interval is None
    assert one.term_intervals["cost"] is None
    assert one.term_intervals["ramping"] is not None
