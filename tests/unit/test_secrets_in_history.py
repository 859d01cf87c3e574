"""The scan of the history for secrets, as checks.yml calls it: finds what was committed once, not what tests make up."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STEPS = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())["jobs"]["secrets"]["steps"]

WHO = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}

SECRET = "token = '" + "ghp_" + "q7Rw2Zt9Xc4Vb6Nm1Kj8Hg5Fd3Sa0PoIuYtE" + "'\n"
MADE_UP = 'TOKEN = "' + "0123456789abcdef" * 2 + '"\n'


def scan(folder: Path, *contents: str) -> int:
    """Exit status of the workflow's command, for a history in which a file had these contents, one after the other."""
    program = shutil.which("gitleaks")
    if program is None:
        pytest.skip("gitleaks is not installed")
    environment = {**os.environ, **WHO, "RUNNER_TEMP": str(Path(program).parent)}
    shutil.copy(ROOT / ".gitleaks.toml", folder)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True, timeout=60)
    for content in contents:
        (folder / "a.py").write_text(content)
        subprocess.run(["git", "add", "."], cwd=folder, check=True, timeout=60)
        subprocess.run(["git", "commit", "--quiet", "--message", "a"], cwd=folder, env=environment, check=True, timeout=60)
    return subprocess.run(
        ["bash", "-c", STEPS[-1]["run"]], cwd=folder, env=environment, capture_output=True, timeout=120
    ).returncode


def test_what_was_deleted_is_found(tmp_path: Path) -> None:
    assert scan(tmp_path, SECRET, "nothing\n") == 1


def test_what_tests_make_up_is_not(tmp_path: Path) -> None:
    assert scan(tmp_path, MADE_UP, "nothing\n") == 0


def test_a_token_that_begins_as_theirs_is_found(tmp_path: Path) -> None:
    assert scan(tmp_path, MADE_UP.replace('f"\n', 'f4x9Qz7Lw2"\n')) == 1
