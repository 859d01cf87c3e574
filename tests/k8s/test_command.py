"""`python -m tests.k8s` says what is wrong with an overlay as somebody has changed it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.k8s.documents import K8S, ROOT, needs_kubectl

pytestmark = needs_kubectl

IMAGE = "registry.example.org/rllib-citylearn-serve"

CHANGES = {
    "another version": (
        "overlays/production/kustomization.yaml",
        IMAGE,
        "ghcr.io/me/rllib-citylearn-serve\n    newTag: 0.2.0",
    ),
    "another namespace of Prometheus": ("components/monitoring/network.yaml", "name: monitoring", "name: prometheus"),
    "Ingress for the Gateway": ("overlays/production/kustomization.yaml", "components/gateway", "components/ingress"),
    "another host": ("components/gateway/gateway.yaml", "policy.example.org", "policy.home.example.com"),
}


def check(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.k8s", *arguments]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=120)


def changed(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of production with another text in one of its files."""
    shutil.copytree(K8S, folder / "k8s")
    path = folder / "k8s" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return folder / "k8s" / "overlays" / "production"


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_page_has_one_change_is_no_fault(tmp_path: Path, change: str) -> None:
    done = check(str(changed(tmp_path, *CHANGES[change])))
    assert (done.returncode, done.stdout[-10:]) == (0, " no fault\n"), done.stdout


def test_a_fault_is_said_and_ends_with_1(tmp_path: Path) -> None:
    done = check(str(changed(tmp_path, "base/serving/rayservice.yaml", "policy-tokens", "policy-token")))
    assert done.returncode == 1
    assert "references: RayService policy answering: docs/deploy.md makes no secret policy-token" in done.stdout


@pytest.mark.parametrize(("text", "says"), [("", "no manifests"), ("a: 1", "no manifests"), ("{", "can't be rendered")])
def test_what_are_no_manifests_is_said(text: str, says: str) -> None:
    done = check("-", text=text)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_can_not_be_rendered_is_said(tmp_path: Path) -> None:
    done = check(str(tmp_path))
    assert done.returncode == 2
    assert "kustomization.yaml" in done.stderr
    assert "Traceback" not in done.stderr
