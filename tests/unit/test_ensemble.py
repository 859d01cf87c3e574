"""An ensemble acts as the mean of its members, however it is run, and says who they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.cli.main import main
from rllib_citylearn.errors import BundleError
from rllib_citylearn.evaluation.provenance import recorded_origin
from rllib_citylearn.export import BuildingRuntime, Bundle, PolicyRuntime, read_bundle, write_bundle
from rllib_citylearn.export.ensemble import combine
from rllib_citylearn.export.inference import Inference
from tests.bundles import (
    HINT_SIZE,
    observations,
    reference_actions,
    small_community,
    small_manifest,
    small_models,
    write_small_bundle,
)

SPREAD = {"one": -0.7, "two": 0.4, "three": 1.1}


def members_of(folder: Path, *, memory: bool = False, hints: Sequence[bool] = (True, True, True)) -> list[Bundle]:
    return [
        write_small_bundle(folder / name, name=name, bias=bias, memory=memory, hints=own)
        for (name, bias), own in zip(SPREAD.items(), hints, strict=True)
    ]


def ensemble_of(members: Sequence[Bundle], folder: Path) -> Bundle:
    manifest, models = combine(members, name="together")
    return write_bundle(folder, manifest=manifest, models=models)


@pytest.mark.parametrize("hints", [(True, True, True), (False, True, False), (True, True, False)])
def test_the_joint_action_is_the_mean_of_the_members(tmp_path: Path, hints: tuple[bool, ...]) -> None:
    members = members_of(tmp_path, hints=hints)
    together = PolicyRuntime(ensemble_of(members, tmp_path / "together"))
    apart = [PolicyRuntime(member) for member in members]
    rows = [observations(small_community(), seed) for seed in range(20)]
    expected = np.mean([[np.concatenate(a) for a in runtime.batch_actions(rows)] for runtime in apart], axis=0)
    found = np.array([np.concatenate(a) for a in together.batch_actions(rows)])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # Means of other members would differ by far more than what rounding does.
    assert np.abs(expected - [np.concatenate(a) for a in apart[0].batch_actions(rows)]).max() > 0.05


def test_networks_give_what_plain_numpy_gives_for_any_number_of_buildings(tmp_path: Path) -> None:
    community = small_community()
    networks = Inference(ensemble_of(members_of(tmp_path), tmp_path / "together"))
    seen = np.random.default_rng(0).uniform(-1.0, 1.0, (4, 7, len(community.columns))).astype(np.float32)
    plain = np.arctanh(np.clip(reference_actions(community, seen).astype(float), -1 + 1e-7, 1 - 1e-7))
    expected = np.mean([np.tanh(plain + bias) for bias in SPREAD.values()], axis=0)
    np.testing.assert_allclose(networks.policy(seen), expected, atol=1e-4)


def test_a_building_alone_acts_as_in_the_community_with_the_hint_it_was_given(tmp_path: Path) -> None:
    bundle = ensemble_of(members_of(tmp_path, hints=(True, False, True)), tmp_path / "together")
    assert bundle.manifest.hint_size == 2 * HINT_SIZE
    runtime = PolicyRuntime(bundle)
    rows = observations(small_community(), 3)
    (hints,) = runtime.hints([rows]).values
    for agent, row, hint, expected in zip(small_community().agents, rows, hints, runtime.actions(rows), strict=True):
        actions, _ = BuildingRuntime(bundle, agent.name).act(row, hint)
        np.testing.assert_allclose(actions, expected, atol=1e-5)


def test_silent_buildings_are_left_out_for_every_member(tmp_path: Path) -> None:
    members = members_of(tmp_path)
    rows = [*observations(small_community(), 5)[:2], None]
    together = PolicyRuntime(ensemble_of(members, tmp_path / "together")).actions(rows)
    apart = [PolicyRuntime(member).actions(rows) for member in members]
    for at in range(3):
        np.testing.assert_allclose(together[at], np.mean([one[at] for one in apart], axis=0), atol=1e-6)


def test_members_without_coordinators_make_an_ensemble_without_one(tmp_path: Path) -> None:
    bundle = ensemble_of(members_of(tmp_path, hints=(False, False, False)), tmp_path / "together")
    assert (bundle.manifest.hint_size, set(bundle.models)) == (0, {"actor", "policy"})


def test_an_ensemble_of_ensembles_weighs_its_members_alike(tmp_path: Path) -> None:
    members = members_of(tmp_path)
    pair = ensemble_of(members[:2], tmp_path / "pair")
    both = PolicyRuntime(ensemble_of([pair, members[2]], tmp_path / "both"))
    rows = observations(small_community(), 1)
    expected = [
        (a + b) / 2
        for a, b in zip(
            np.concatenate(PolicyRuntime(pair).actions(rows)),
            np.concatenate(PolicyRuntime(members[2]).actions(rows)),
            strict=True,
        )
    ]
    np.testing.assert_allclose(np.concatenate(both.actions(rows)), expected, atol=1e-6)


def test_the_record_names_the_members(tmp_path: Path) -> None:
    members = members_of(tmp_path)
    recorded = ensemble_of(members, tmp_path / "together").manifest.training["ensemble"]
    assert [(one["name"], one["sha256"]) for one in recorded] == [(one.manifest.name, one.sha256) for one in members]


def test_what_any_member_was_trained_on_the_ensemble_was_trained_on(tmp_path: Path) -> None:
    def record(window: list[int]) -> dict[str, object]:
        return {"data": {"name": "homes"}, "preset": {"environment": {"window": window}}}

    training = {"ensemble": [record([0, 99]), record([100, 199]), record([0, 99])]}
    assert [one.window for one in recorded_origin(training, ["a"]).communities] == [(0, 99), (100, 199)]
    silent = {"ensemble": [record([0, 99]), {}]}
    assert recorded_origin(silent, ["a"]).communities == ()


def test_an_ensemble_names_the_data_that_its_members_share(tmp_path: Path) -> None:
    def member(name: str, bias: float, data: str) -> Bundle:
        community = small_community()
        manifest = replace(small_manifest(community, name), training={"data": {"name": data}})
        return write_bundle(tmp_path / name, manifest=manifest, models=small_models(community, bias=bias))

    one, two, other = member("one", 0.0, "homes"), member("two", 0.1, "homes"), member("other", 0.2, "flats")
    assert combine([one, two], name="same")[0].training["data"] == {"name": "homes"}
    assert combine([one, two, other], name="mixed")[0].training["data"] is None


def test_one_member_is_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="1 bundle was given; an ensemble has at least two"):
        combine(members_of(tmp_path)[:1], name="alone")


def test_nobody_counts_twice(tmp_path: Path) -> None:
    one, two, _ = members_of(tmp_path)
    with pytest.raises(BundleError, match="The policy one was given twice"):
        combine([one, two, one], name="twice")


def test_members_see_the_same(tmp_path: Path) -> None:
    plain, remembering = write_small_bundle(tmp_path / "a"), write_small_bundle(tmp_path / "b", name="b", memory=True)
    with pytest.raises(BundleError, match=r"test-policy and b differ in what they see or set \(features, buildings\)"):
        combine([plain, remembering], name="mixed")


def test_members_have_the_same_buildings(tmp_path: Path) -> None:
    one = write_small_bundle(tmp_path / "one")
    community = small_community()
    renamed = type(community)([replace(agent, name=f"X{agent.name}") for agent in community.agents], community.ranges)
    two = write_bundle(tmp_path / "two", manifest=small_manifest(renamed, "two"), models=small_models(renamed))
    with pytest.raises(BundleError, match=r"\(buildings\)"):
        combine([one, two], name="mixed")


def test_the_command_makes_what_the_function_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members = members_of(tmp_path)
    folders = [str(tmp_path / name) for name in SPREAD]
    assert main(["bundle", "ensemble", *folders, "--out", str(tmp_path / "all"), "--name", "night", "--json", "-"]) == 0
    written = json.loads(capsys.readouterr().out)
    bundle = read_bundle(tmp_path / "all")
    assert (written["sha256"], written["name"]) == (bundle.sha256, "night")
    assert bundle.models == ensemble_of(members, tmp_path / "together").models
    assert bundle.manifest.training["command"].endswith(f"--out {tmp_path / 'all'} --name night")


def test_show_says_what_is_in_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensemble_of(members_of(tmp_path), tmp_path / "together")
    assert main(["bundle", "show", str(tmp_path / "together")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("member") for line in lines) == 3
    assert "buildings    3: Building_1, Building_2, Building_10" in lines
    assert main(["bundle", "show", str(tmp_path / "one"), "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"sha256": read_bundle(tmp_path / "one").sha256, **read_bundle(tmp_path / "one").manifest.to_dict()}


def test_verify_runs_what_is_whole_and_names_what_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_small_bundle(tmp_path / "small")
    assert main(["bundle", "verify", str(tmp_path / "small")]) == 0
    assert bundle.sha256 in capsys.readouterr().out
    (tmp_path / "small" / "actor.onnx").write_bytes(b"something else")
    assert main(["bundle", "verify", str(tmp_path / "small")]) == 2
    assert "actor.onnx" in capsys.readouterr().err
