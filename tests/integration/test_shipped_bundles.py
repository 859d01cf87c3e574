"""The policies that come with the repository are what their presets and reports say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.datasets import resolve
from rllib_citylearn.datasets.names import DOWNLOAD_ONLY
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.evaluation import BundleSpec, evaluate
from rllib_citylearn.export import read_bundle
from tests.conftest import SHARED

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "bundles").iterdir())
MOST_BYTES = 2 * 10**6

each = pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)


@each
def test_a_shipped_policy_is_small_whole_and_of_the_preset_of_its_name(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < MOST_BYTES
    training = read_bundle(folder / "bundle").manifest.training
    preset = Preset.read(ROOT / "tune_configs" / f"{folder.name}.yaml").to_dict()
    recorded = Preset.from_dict(training["preset"]).to_dict()  # with defaults of keys that are newer
    for section in ("environment", "model", "training", "runners", "stop"):
        assert recorded[section] == preset[section], section
    command, _, run = training["command"].partition(" --name ")
    assert command == f"rllib-citylearn train tune_configs/{folder.name}.yaml"
    assert run in ("", folder.name), "nothing else was given"
    assert (folder / "report.html").stat().st_size > 0
    for graph in (folder / "bundle").glob("*.onnx"):
        assert b".py" not in graph.read_bytes(), "where the exporting machine keeps its code is nobody's business"


def data_of(name: str) -> Path:
    """Beside the checkout, or as users get it."""
    beside = SHARED / "datasets" / name
    try:
        return resolve(beside if beside.is_dir() else name).folder
    except DatasetError as error:
        if name not in DOWNLOAD_ONLY:
            raise
        pytest.skip(f"{name} can't be had here: {error}")


@pytest.mark.slow
@each
def test_a_shipped_policy_scores_what_its_report_says(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    (said,) = [one for one in report["communities"][0]["contenders"] if one["policy"] == "policy"]
    data = data_of(read_bundle(folder / "bundle").manifest.training["preset"]["environment"]["dataset"])
    (found,) = evaluate([BundleSpec(str(folder / "bundle"))], data, processes=1)
    assert found.score.score == pytest.approx(said["score"], abs=1e-5)
