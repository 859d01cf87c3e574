"""A community of a hundred buildings is ready within the time that was promised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "build_community.py"


@pytest.mark.slow
def test_a_hundred_buildings_are_built_in_time() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK)], capture_output=True, text=True, check=True, timeout=300)
    result = json.loads(done.stdout)
    assert (result["buildings"], result["days"]) == (100, 365)
    assert result["vector_env_s"] <= 20.0
    assert result["community_steps_per_s"] > 1000
