"""Alerts fire when they should and not before, go by metrics that there are, and have a line in the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.metrics import Metrics
from tests.k8s.documents import ROOT, Document, named, needs_kubectl, overlay

CASES = Path(__file__).with_name("alerts.yaml")

pytestmark = [
    needs_kubectl,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here to try alert rules with"),
]


def spec() -> Document:
    """The rules as Prometheus gets them."""
    rules: Document = named(overlay("production"), "PrometheusRule", "policies")["spec"]
    return rules


def rules(groups: Document) -> list[Document]:
    """All rules of all groups."""
    return [rule for group in groups["groups"] for rule in group["rules"]]


def promtool(folder: Path, groups: Document, *command: str) -> subprocess.CompletedProcess[str]:
    """Run it on these rules, in a folder that has the cases, too."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(groups))
    shutil.copy(CASES, folder)
    return subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, check=False)


def test_the_rules_are_rules(tmp_path: Path) -> None:
    found = promtool(tmp_path, spec(), "check", "rules", "rules.yaml")
    assert found.returncode == 0, found.stderr
    assert f"{len(rules(spec()))} rules found" in found.stdout


def test_they_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    found = promtool(tmp_path, spec(), "test", "rules", CASES.name)
    assert found.returncode == 0, found.stdout + found.stderr


def _cases() -> list[Document]:
    tests: Any = yaml.safe_load(CASES.read_text())["tests"]
    return [case for test in tests for case in test["alert_rule_test"]]


def _failed(found: subprocess.CompletedProcess[str]) -> set[str]:
    return set(re.findall(r"alertname: (\w+)", found.stdout + found.stderr))


def test_the_cases_notice_an_alert_that_never_fires(tmp_path: Path) -> None:
    groups = spec()
    for rule in rules(groups):
        rule["expr"] = "vector(0) > 1"
    found = promtool(tmp_path, groups, "test", "rules", CASES.name)
    assert _failed(found) >= {rule["alert"] for rule in rules(groups)}


def test_the_cases_notice_an_alert_that_fires_too_soon(tmp_path: Path) -> None:
    groups = spec()
    late = {rule["alert"] for rule in rules(groups) if rule.pop("for", None)}
    found = promtool(tmp_path, groups, "test", "rules", CASES.name)
    # The cases of these two say for which labels they stay silent, not for how long.
    assert _failed(found) >= late - {"PolicyInputsOutOfRange", "PolicyTurnsAway"}


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    assert {case["alertname"] for case in _cases() if case.get("exp_alerts")} == {rule["alert"] for rule in rules(spec())}


def test_the_policies_metrics_that_they_go_by_are_there() -> None:
    named_there = set(re.findall(r"citylearn_policy_\w+", " ".join(rule["expr"] for rule in rules(spec()))))
    known = set(re.findall(r"^# TYPE (\w+)", Metrics().text().decode(), flags=re.M))
    assert len(named_there) > 5
    assert {re.sub(r"_bucket$", "", name) for name in named_there} <= known


def test_every_alert_has_a_line_in_the_runbook() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w -]", "", line).strip().lower() for line in re.findall(r"^#+ (.+)$", page, flags=re.M)}
    for rule in rules(spec()):
        target = re.search(r"docs/deploy\.md#([\w-]+)", rule["annotations"]["description"])
        assert target is not None, rule["alert"]
        assert target[1] == rule["alert"].lower()
        assert target[1] in anchors, f"docs/deploy.md has no heading {rule['alert']}"
