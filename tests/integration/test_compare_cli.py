"""``rllib-citylearn compare`` from its arguments to what it prints and writes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.baselines.learned import LEARNED, trainer
from rllib_citylearn.cli.compare import add_parser
from rllib_citylearn.errors import ConfigError, EngineError, UserError
from tests.learned import budget_of


def parsed(*arguments: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    return parser.parse_args(["compare", *map(str, arguments)])


def call(*arguments: object) -> int:
    """Run the command line in this process."""
    args = parsed(*arguments)
    status: int = args.run(args)
    return status


def test_contenders_meet_on_every_community_with_every_seed(
    challenge_2022: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "result.json"
    where = ("--data", challenge_2022, "--buildings", "1-2", "--held-out", "6,9", "--window", "0:48", "--seeds", "2022,7")
    assert call("net-zero", "foresight", *where, "--processes", 1, "--json", file) == 0
    content = json.loads(file.read_text())
    assert content["command"].startswith("rllib-citylearn compare net-zero foresight --data")
    assert "--held-out 6,9" in content["command"]
    inside, outside = content["communities"]
    assert (inside["buildings"], outside["buildings"]) == (["Building_1", "Building_2"], ["Building_6", "Building_9"])
    for community in (inside, outside):
        assert community["seeds"] == [2022, 7]
        assert {c["policy"] for c in community["contenders"]} == {"no-control", "net-zero", "foresight"}
        for contender in community["contenders"]:
            assert [e["seed"] for e in contender["evaluations"]] == [2022, 7]
            assert all(e["policy"] == contender["policy"] for e in contender["evaluations"])
            assert all(e["buildings"] == community["buildings"] for e in contender["evaluations"])
            assert contender["interval"] is None  # two days are no months
        shares = {c["policy"]: c["share_of_possible"] for c in community["contenders"]}
        assert shares["foresight"] == 1.0
        assert shares["no-control"] == pytest.approx(0.0, abs=1e-6)
        assert 0.0 < shares["net-zero"] < 1.0
    printed = " ".join(capsys.readouterr().out.split())
    # Nothing was trained, so nothing is in-sample or held out, whatever the option is called.
    assert "buildings 1-2: 2 buildings, time steps 0 to 48, random seed 2022, 7" in printed
    assert printed.index("buildings 1-2:") < printed.index("buildings 6,9:")
    assert "in-sample" not in printed
    assert "So --held-out only picks buildings here, and holds nothing out." in printed
    assert [community["label"] for community in (inside, outside)] == ["buildings 1-2", "buildings 6,9"]


@pytest.mark.slow
def test_the_same_numbers_as_evaluate_whatever_the_number_of_processes(
    challenge_2022: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rllib_citylearn.evaluation import BaselineSpec, evaluate

    where = ("--data", challenge_2022, "--buildings", "3-4", "--window", "0:40", "--json", "-")
    results = []
    for processes in (1, 2):
        assert call("bau", "net-zero", *where, "--processes", processes) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0] == results[1]
    (alone,) = evaluate([BaselineSpec("bau")], challenge_2022, buildings=["Building_3", "Building_4"], window=(0, 40))
    found = {c["policy"]: c["evaluations"][0] for c in results[0]["communities"][0]["contenders"]}["bau"]
    assert found["kpis"] == alone.to_dict()["kpis"]


def test_who_cannot_control_a_community_does_not_stop_the_others(
    appliance_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--data", appliance_data, "--buildings", "1", "--window", "0:30", "--processes", 1)
    assert call("optimized-rbc", "net-zero", *where, "--json", "-") == 0
    (community,) = json.loads(capsys.readouterr().out)["communities"]
    assert {c["policy"] for c in community["contenders"]} == {"no-control", "net-zero"}
    (refused,) = community["refused"]
    assert refused["policy"] == "optimized-rbc"
    assert "OptimizedRBC" in refused["reason"]
    assert call("optimized-rbc", "net-zero", *where) == 0
    assert "optimized-rbc did not take part: CityLearn's OptimizedRBC" in " ".join(capsys.readouterr().out.split())


def test_a_community_that_nobody_can_control_is_an_error(challenge_2022: Path, tmp_path: Path) -> None:
    for file in challenge_2022.iterdir():
        (tmp_path / file.name).symlink_to(file)
    schema = json.loads((challenge_2022 / "schema.json").read_text())
    schema["community_market"] = {"enabled": True}
    (tmp_path / "schema.json").unlink()
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(EngineError, match=r"a community market.*--engine citylearn"):
        call("bau", "--data", tmp_path, "--buildings", "1", "--window", "0:30", "--processes", 1)


def test_groups_of_baselines() -> None:
    from rllib_citylearn.cli.compare import _runs

    assert list(_runs(["all"])) == list(BASELINES)
    assert list(_runs(["learners"])) == ["no-control", *LEARNED]
    assert list(_runs(["bau", "bau"])) == ["no-control", "bau"]


def test_learning_baselines_are_trained_once_on_the_buildings_that_are_not_held_out(
    challenge_2022: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trainer, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(trainer, "Budget", budget_of(272))
    where = ("--data", challenge_2022, "--buildings", "1", "--held-out", "6", "--window", "0:270", "--processes", 1)
    options = ("--training-minutes", 0.5, "--training-seeds", "3,4", "--json", "-")
    assert call("citylearn-sac", "net-zero", *where, *options) == 0
    first = json.loads(capsys.readouterr().out)
    assert "--training-minutes 0.5 --training-seeds 3,4" in first["command"]
    inside, outside = first["communities"]
    found = {c["policy"]: c for c in inside["contenders"]}
    assert set(found) == {"no-control", "citylearn-sac", "net-zero"}
    assert len(found["citylearn-sac"]["evaluations"]) == 2
    assert "citylearn-sac was trained on these very buildings" in inside["note"]
    assert {r["policy"] for r in outside["refused"]} == {"citylearn-sac"}

    def fail(*_: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr("rllib_citylearn.baselines.learned.citylearn_family.trained_agent", fail)
    assert call("citylearn-sac", "net-zero", *where, *options) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_a_learner_that_cannot_be_trained_does_not_stop_the_others(
    challenge_2022: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trainer, "cache_folder", lambda: tmp_path)
    where = ("--data", challenge_2022, "--buildings", "1", "--window", "0:48", "--processes", 1)
    assert call("citylearn-sac", "net-zero", *where) == 0
    printed = capsys.readouterr().out
    assert "citylearn-sac did not take part: citylearn-sac explores for one episode" in printed
    assert "net-zero" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("nothing",), "neither a baseline"),
        (("ours=",), "names no folder"),
        (("bau=mpc",), "empty, taken"),
        (("ours=bau", "ours=mpc"), "empty, taken"),
        (("bau", "--seeds", "1,x"), "whole numbers"),
        (("bau", "--seeds", "1,1"), "each seed once"),
        (("rllib-ppo", "--training-seeds", "0,0"), "each seed once"),
        (("rllib-ppo", "--training-minutes", "0"), "a time above 0"),
        (("rllib-ppo", "--training-seeds", "4294967296"), "below 2,147,483,648"),
        (("bau", "--training-minutes", "3"), "none is named"),
        (("rllib-pro",), "Did you mean 'rllib-ppo'"),
        (("bau", "--buildings", "1-3", "--held-out", "3-4"), "share Building_3"),
        (("bau", "--held-out", "1-17"), "takes all buildings"),
        (("bau", "--held-out", "18"), "18"),
        (("bau", "--processes", "0"), "at least one"),
        (("bau", "--window", "9:3"), "not a pair"),
        (("bau", "--engine", "turbo"), "turbo"),
    ],
)
def test_mistakes_are_answered_before_anything_runs(challenge_2022: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(*options, "--data", challenge_2022)


def test_an_unwritable_report_is_refused_before_anything_runs(challenge_2022: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is a file"):
        call("bau", "--data", challenge_2022, "--out", tmp_path / "thesis.txt")


def test_labels_are_the_policys_own_record_and_not_the_options(
    challenge_2022: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option names buildings that the policy was trained on as held out, and the others as if it knew them."""
    pytest.importorskip("onnx")
    from rllib_citylearn.datasets import resolve
    from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
    from rllib_citylearn.export import Manifest, write_bundle
    from tests.bundles import HINT_SIZE, small_models

    env = make_citylearn_env(challenge_2022, buildings=("Building_6", "Building_9"), window=(0, 48))
    features = community_features(env)
    record = {"data": resolve(challenge_2022).describe()}
    manifest = Manifest("ours", "2026-01-31T12:00:00+00:00", features, HINT_SIZE, training=record, kpis={})
    write_bundle(tmp_path / "bundle", manifest=manifest, models=small_models(features))
    where = ("--data", challenge_2022, "--buildings", "1-2", "--held-out", "6,9", "--window", "0:30", "--processes", 1)
    file = tmp_path / "result.json"
    assert call(f"ours={tmp_path / 'bundle'}", *where, "--json", file) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "buildings 1-2 (held-out): 2 buildings" in printed
    assert "buildings 6,9 (in-sample): 2 buildings" in printed
    assert "So --held-out is wrong for ours: its score here is not that of held-out buildings." in printed
    inside, outside = json.loads(file.read_text())["communities"]
    kinds = [{c["policy"]: c["training"]["kind"] for c in community["contenders"]} for community in (inside, outside)]
    assert kinds == [{"ours": "held-out", "no-control": "not trained"}, {"ours": "in-sample", "no-control": "not trained"}]


def test_a_policy_that_cannot_be_read_is_refused_before_anything_runs(
    challenge_2022: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rllib_citylearn.errors import BundleError
    from rllib_citylearn.evaluation import compare as module

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something ran")

    monkeypatch.setattr(module, "run_jobs", never)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(BundleError):
        call(tmp_path, "--data", challenge_2022, "--window", "0:30")


def test_a_comparison_keeps_no_trajectories(challenge_2022: Path) -> None:
    from rllib_citylearn.evaluation import BaselineSpec, evaluate
    from rllib_citylearn.evaluation.compare import CommunitySpec, ContenderSpec, compare

    idle = BaselineSpec("no-control")
    community = CommunitySpec("one", ("Building_1",))
    comparison = compare(
        [ContenderSpec("no-control", (idle,))], challenge_2022, communities=[community], window=(0, 30), processes=1
    )
    assert comparison.communities[0].contenders[0].shown.kept is None
    (kept,) = evaluate([idle], challenge_2022, buildings=["Building_1"], window=(0, 30))
    assert kept.trajectory.steps == 30


def test_all_stand_beside_the_same_community_without_control(
    appliance_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CityLearn's own community without control runs the appliances that the policy ran."""
    where = ("--data", appliance_data, "--buildings", "1", "--window", "0:100", "--processes", 1)
    assert call("plug-in", "net-zero", *where, "--json", "-") == 0
    (community,) = json.loads(capsys.readouterr().out)["communities"]
    found = {c["policy"]: c["evaluations"][0] for c in community["contenders"]}
    assert found["plug-in"]["totals"]["imported_kwh"] > found["no-control"]["totals"]["imported_kwh"]
    assert all(e["no_control_totals"] == found["no-control"]["totals"] for e in found.values())
    assert call("plug-in", "net-zero", *where) == 0
    assert "CityLearn's KPIs divide by" in " ".join(capsys.readouterr().out.split())


def test_the_same_run_twice_is_no_second_training_run(challenge_2022: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the same folder twice"):
        call(f"ours={tmp_path},{tmp_path}/", "--data", challenge_2022)
