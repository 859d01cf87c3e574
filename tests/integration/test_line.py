"""The whole line on a short window: train, checkpoint, restore, export, evaluate, serve, HTTP."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.errors import BundleError, CheckpointError, UserError
from rllib_citylearn.export import PolicyRuntime, read_bundle, write_bundle
from rllib_citylearn.export.checkpoint import export_checkpoint, load_module, verify_checkpoint
from rllib_citylearn.export.onnx_export import onnx_models
from tests.servers import free_port, wait_until_ready

BUILDINGS = ["Building_10", "Building_2", "Building_1"]


def cli(*arguments: object, timeout: float = 240, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rllib_citylearn.cli.main", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=environment, check=False)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, challenge_2022: Path) -> Path:
    """A run made by the command line itself."""
    folder = tmp_path_factory.mktemp("line")
    preset = {
        "name": "tiny",
        "seed": 1,
        "environment": {
            "dataset": str(challenge_2022),
            "buildings": BUILDINGS,
            "window": [0, 1000],
            "episode_steps": 48,
            "random_start": True,
        },
        "model": {"hidden": 32, "hint_size": 4, "coordinator_width": 8},
        "training": {
            "warmup_steps": 100,
            "n_step": 2,
            "critic_warmup_updates": 50,
            "train_batch_size_per_learner": 16,
            "replay_capacity": 2000,
        },
        "runners": {"num_env_runners": 1},
        "stop": {"minutes": 2, "env_steps": 400},
        "validation": {"starts": [0, 500], "episode_steps": 24, "every_minutes": 0.05},
        "report": {"baselines": ["no-control", "bau"], "window": [0, 800], "processes": 2},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(preset))
    options = ("--runs", folder / "runs", "--name", "first", "--set", "model.hidden=16")
    done = cli("train", folder / "tiny.yaml", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    return folder / "runs" / "first"


def test_a_value_set_on_the_command_line_is_the_runs_and_said_again(run_folder: Path):
    run = json.loads((run_folder / "run.json").read_text())
    assert run["preset"]["model"]["hidden"] == 16
    assert run["command"].endswith("--name first --set model.hidden=16")


def test_training_ends_with_a_table_whose_numbers_are_in_the_report(run_folder: Path):
    printed = (run_folder.parents[1] / "stdout.txt").read_text()
    report = json.loads((run_folder / "report.json").read_text())
    (community,) = report["communities"]
    for row in community["contenders"]:
        lines = [line.split() for line in printed.splitlines()]
        assert [str(row["policy"]), f"{row['score']:.3f}"] in [line[:2] for line in lines]
    assert sorted(row["policy"] for row in community["contenders"]) == ["bau", "no-control", "policy"]
    for name in ("report.html", "report.md", "report.json", "best", "bundle", "progress.csv"):
        assert str(run_folder / name) in printed
        assert (run_folder / name).exists()
    assert (run_folder / "figures" / "week.png").stat().st_size > 10_000
    assert (run_folder / "figures" / "learning.png").is_file()
    assert report["training"]["env_steps"] >= 400
    with (run_folder / "progress.csv").open() as file:
        scores = [float(row["validation_score"]) for row in csv.DictReader(file)]
    assert report["training"]["validation_score"] <= min(scores)
    verify_checkpoint(run_folder / "last")
    assert report["data"]["sha256"]
    assert "trained and validated on time steps 0 to 1000, judged on time steps 0 to 800" in report["training"]["judged"]
    assert "steps/s" in printed, "progress is visible"


def recorded(challenge_2022: Path, steps: int = 60) -> list[list[list[float]]]:
    """Raw observations of every building along a random walk through CityLearn."""
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=(4000, 4000 + steps))
    random = np.random.default_rng(0)
    observations, _ = env.reset()
    rows = [observations]
    while not env.terminated:
        observations, *_ = env.step([random.uniform(-1, 1, 1).tolist() for _ in BUILDINGS])
        rows.append(observations)
    return [[[float(x) for x in row] for row in step] for step in rows]


def test_the_bundle_acts_as_the_checkpoint_does(run_folder: Path, challenge_2022: Path):
    module = load_module(run_folder / "best")
    bundle = read_bundle(run_folder / "bundle")
    runtime = PolicyRuntime(bundle)
    assert runtime.building_names == tuple(module.layout.agents) == ("Building_1", "Building_2", "Building_10")
    assert_same_actions(module, bundle.manifest.community, runtime, recorded(challenge_2022))


def test_a_policy_far_from_its_rule_is_exported_faithfully(run_folder: Path, tmp_path: Path, challenge_2022: Path):
    """The tiny run hardly leaves the rule; these weights do, so that every layer of the graphs matters."""
    module = load_module(run_folder / "best")
    torch.manual_seed(0)
    for parameter in module.policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    trained = read_bundle(run_folder / "bundle")
    community = trained.manifest.community
    models = onnx_models(module.policy, len(community.columns))
    assert not any(b".py" in graph for graph in models.values()), "graphs say nothing of the machine that exported them"
    runtime = PolicyRuntime(write_bundle(tmp_path / "bundle", manifest=trained.manifest, models=models))
    steps = recorded(challenge_2022)
    assert_same_actions(module, community, runtime, steps)
    joint = torch.from_numpy(np.stack([community.encode(rows) for rows in steps]))
    gap = module.act(joint) - module.policy.actor.rule(joint)
    assert gap.abs().mean() > 0.05
    without_hints = module.policy.actor(joint, torch.zeros(*joint.shape[:2], module.policy.hint_size))
    assert (module.act(joint) - without_hints).abs().mean() > 0.01, "the coordinator has to matter in this test"


def assert_same_actions(module, community, runtime: PolicyRuntime, steps: list) -> None:
    for rows in steps:
        joint = community.encode(rows)
        with torch.no_grad():
            expected = module.layout.unsquash(module.act(torch.from_numpy(joint[None])).numpy())[0]
        assert np.allclose(np.array(runtime.actions(rows)), expected, atol=1e-5)


def test_exporting_again_gives_the_same_policy(run_folder: Path, tmp_path: Path, challenge_2022: Path):
    done = cli("export", run_folder / "best", tmp_path / "bundle", "--name", "again")
    assert done.returncode == 0, done.stderr
    one, two = (PolicyRuntime(read_bundle(path)) for path in (run_folder / "bundle", tmp_path / "bundle"))
    for rows in recorded(challenge_2022, 5):
        assert one.actions(rows) == two.actions(rows)
    assert two.manifest.name == "again"
    assert two.manifest.training["data"]["sha256"]


def test_the_newest_run_is_served(run_folder: Path, challenge_2022: Path):
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    server = subprocess.Popen(
        [sys.executable, "-m", "rllib_citylearn.cli.main", "serve", "--port", str(port)],
        cwd=run_folder.parents[1],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_ready(server, port)
        runtime = PolicyRuntime(read_bundle(run_folder / "bundle"))
        for rows in recorded(challenge_2022, 10):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/predict",
                json.dumps({"observations": rows}).encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=20) as answer:
                served = json.load(answer)["actions"]
            assert np.allclose(served, runtime.actions(rows), atol=1e-6)
    finally:
        server.send_signal(signal.SIGTERM)
        output, _ = server.communicate(timeout=60)
    assert server.returncode == 0, output


def _copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder / "best", tmp_path / "checkpoint"))


@pytest.mark.parametrize(
    "harm", ["truncate", "flip", "remove", "add", "no checksums", "empty checksums", "half the checksums"]
)
def test_a_damaged_checkpoint_is_named_and_refused(run_folder: Path, tmp_path: Path, harm: str):
    copy = _copy(run_folder, tmp_path)
    verify_checkpoint(copy)
    victim = max((file for file in copy.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    data = victim.read_bytes()
    if harm == "truncate":
        victim.write_bytes(data[: len(data) // 2])
    elif harm == "flip":
        victim.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif harm == "remove":
        victim.unlink()
    elif harm == "add":
        victim = copy / "learner_group" / "extra.pkl"
        victim.write_bytes(b"not ours")
    else:
        sums = copy / "SHA256SUMS"
        lines = sums.read_text().splitlines(keepends=True)
        if harm == "no checksums":
            sums.unlink()
            victim = sums
        else:
            kept = 0 if harm == "empty checksums" else len(lines) // 2
            sums.write_text("".join(lines[:kept]))
            victim = Path(lines[kept].split("  ")[1].strip())
    with pytest.raises(CheckpointError, match=victim.name):
        load_module(copy)
    done = cli("export", copy, tmp_path / "bundle")
    assert done.returncode == 2
    assert victim.name in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_module(tmp_path)


def test_exporting_over_something_else_leaves_it_alone(run_folder: Path, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError):
        export_checkpoint(run_folder / "best", tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_run_is_never_overwritten(run_folder: Path):
    done = cli("train", run_folder.parents[1] / "tiny.yaml", "--runs", run_folder.parent, "--name", "first")
    assert done.returncode == 2
    assert "already" in done.stderr


def test_data_that_a_preset_does_not_fit_is_said_before_anything_starts(run_folder: Path, tmp_path: Path):
    preset = yaml.safe_load((run_folder.parents[1] / "tiny.yaml").read_text())
    preset["validation"]["starts"] = [0, 990]
    (tmp_path / "late.yaml").write_text(yaml.safe_dump(preset))
    done = cli("train", tmp_path / "late.yaml", "--runs", tmp_path / "runs")
    assert done.returncode == 2
    assert "not at 990" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: x\ntrainig: {}\n", "Did you mean 'training'"),
        ("name: x\ntraining: {actor_rl: 1}\n", "actor_rl"),
        ("name: x\nmodel: {hiden: 3}\n", "Did you mean 'hidden'"),
        ("name: x\nstop: {minutes: 0}\n", "minutes"),
        ("name: ../x\n", "letters"),
        ("- 1\n", "no keys"),
        ("name: [\n", "YAML"),
        ("name: x\nenvironment: {dataset: citylearn_challenge_2052}\n", "citylearn_challenge_2052"),
    ],
)
def test_a_wrong_preset_is_said_in_a_sentence(tmp_path: Path, text: str, sentence: str):
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.datasets import resolve

    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        resolve(Preset.read(tmp_path / "wrong.yaml").environment.dataset, offline=True)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "tune_configs").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_presets_are_valid_and_complete(path: Path):
    from rllib_citylearn.algorithm.preset import Preset

    preset = Preset.read(path)
    assert preset.name == path.stem
    assert Preset.from_dict(preset.to_dict()) == preset
