"""What docs/maddpg.md shows works: its code runs, its presets are taken, its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.cli.main import build_parser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "maddpg.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def ablations() -> list[str]:
    section = PAGE.split("## Ablations by switch")[1].split("\n## ")[0]
    return re.findall(r"^\| [^|]+ \| `([^`]+)` \|", section, re.MULTILINE)


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets that ask for a GPU are refused where there is none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize("text", [*blocks("yaml"), *ablations()])
def test_presets_are_taken_and_say_something_else_than_the_defaults(text: str) -> None:
    keys: dict[str, Any] = yaml.safe_load(text)
    preset = Preset.from_dict({"name": "shown", **keys})
    assert preset.to_dict() != Preset.from_dict({"name": "shown"}).to_dict()


def test_there_are_as_many_as_the_page_shows() -> None:
    assert len(ablations()) == 11
    assert len(blocks("yaml")) == PAGE.count("```yaml") == 6
    assert len(blocks("python")) == PAGE.count("```python") == 5


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_commands_exist(line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "rllib-citylearn"
    assert build_parser().parse_args(words[1:]).run


def test_configs_in_code_are_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sound = 0
    for block in blocks("python"):
        names: dict[str, Any] = {}
        if "from_checkpoint" not in block:
            exec(compile(block.split("\nalgorithm = ")[0].split("\ntuner = ")[0], "docs/maddpg.md", "exec"), names)
            if "grid_search" in block:
                names["config"].training(actor_lr=1e-3)
            names["config"].validate()
            sound += 1
    assert sound == 4


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_code_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block.replace("/tmp/rope", str(tmp_path / "rope")), "docs/maddpg.md", "exec"), names)
    team_return, updates = map(float, capsys.readouterr().out.split()[-2:])
    assert -50.0 < team_return < 0.0
    assert updates > 40
