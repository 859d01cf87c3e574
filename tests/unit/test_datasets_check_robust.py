"""Whatever is done to a data set's files, checking it gives findings and never raises."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.datasets import check_dataset, describe_dataset
from rllib_citylearn.datasets.checks.rules import RULES
from rllib_citylearn.errors import DatasetError
from tests.datasets_sound import write_sound
from tests.spoils.changes import add_appliance


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("sound") / "sound")


def _random_junk(rng: np.random.Generator) -> Any:
    junk = (
        None,
        -1,
        0,
        1e300,
        10**30,
        True,
        "",
        "x",
        "weather.csv",
        [],
        [1, "a"],
        {},
        {"active": True},
        float("nan"),
        [[0, 1]],
    )
    return junk[int(rng.integers(len(junk)))]


def _corrupt_schema(value: Any, rng: np.random.Generator) -> Any:
    """``value`` with one entry, however deep, replaced by junk, renamed or taken out."""
    if not isinstance(value, dict) or not value or rng.uniform() < 0.03:
        return _random_junk(rng)
    key = list(value)[int(rng.integers(len(value)))]
    kind = rng.uniform()
    if kind < 0.15:
        return {k: v for k, v in value.items() if k != key}
    if kind < 0.25:
        return {(f"{k}_" if k == key else k): v for k, v in value.items()}
    return {**value, key: _corrupt_schema(value[key], rng)}


def _corrupt_file(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes() or b"0")
    kind = rng.uniform()
    if kind < 0.15:
        for _ in range(int(rng.integers(1, 20))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
    elif kind < 0.2:
        content = content[: int(rng.integers(len(content)))]
    elif kind < 0.25:
        content = bytearray(rng.bytes(200))
    else:
        lines = content.decode("latin-1").split("\n")
        at = int(rng.integers(len(lines)))
        cells = lines[at].split(",")
        cells[int(rng.integers(len(cells)))] = ("", "inf", "-1", "1e9", '"', "nan", "True", "2024-01-01", "1e400")[
            int(rng.integers(9))
        ]
        lines[at] = ",".join(cells)
        content = bytearray("\n".join(lines).encode("latin-1"))
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("seed", range(4))
def test_no_corruption_makes_it_raise(original: Path, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for case in range(6):
        folder = Path(shutil.copytree(original, tmp_path / str(case)))
        add_appliance(folder)
        for _ in range(int(rng.integers(1, 4))):
            if rng.uniform() < 0.5:
                schema = folder / "schema.json"
                schema.write_text(json.dumps(_corrupt_schema(json.loads(schema.read_text()), rng)))
            else:
                files = sorted(folder.glob("*.csv"))
                _corrupt_file(files[int(rng.integers(len(files)))], rng)
        findings = check_dataset(folder)
        assert all(finding.rule in RULES for finding in findings)
        if any(finding.level == "error" for finding in findings):  # without one, CityLearn would build it, which is slow
            try:
                describe_dataset(folder)
            except DatasetError:
                assert findings[0].rule in ("no-schema", "structure", "old-format")
