"""Commands of docs/deploy.md name what there is."""

from __future__ import annotations

import re
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.errors import ConfigError
from tests.k8s.contents import parsed
from tests.k8s.documents import K8S, OVERLAYS, ROOT, VARIANTS, Documents, needs_kubectl, overlay, variant
from tests.k8s.injected import pods, services
from tests.k8s.references import NAMESPACE, PAGE, documented_secrets

pytestmark = needs_kubectl

KINDS = {
    "pod": "Pod",
    "pods": "Pod",
    "service": "Service",
    "rayservice": "RayService",
    "rayjob": "RayJob",
    "raycluster": "RayCluster",
    "statefulset": "StatefulSet",
    "secret": "Secret",
    "endpointslices": "EndpointSlice",
}
LOOK = {"get", "describe", "logs", "wait", "kustomize", "config"}
VERBS = LOOK | {"apply", "delete", "create", "cp", "exec", "port-forward", "rollout"}


def commands() -> list[str]:
    """Every line of a block that is a command, continued lines joined, and commands in the text."""
    page = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```\n(.*?)^```", page, flags=re.M | re.S)
    lines = [re.sub(r"\s{2,}#.*$", "", line).removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = [code for code in re.findall(r"`([^`\n]+)`", page) if code.startswith(("kubectl ", "rllib-citylearn "))]
    known = ("kubectl ", "docker ", "kind ", "helm ", "rllib-citylearn ", "make ", "curl ", "sed ", "printf ", "TOKEN=")
    return [line.strip() for line in lines if line.strip().startswith(known)] + inline


def _words(line: str) -> list[list[str]]:
    """The words of every program that a line calls, also within pipes and substitutions."""
    inside = []
    while found := re.search(r"\$\(([^()]*)\)", line):
        inside.append(found[1])
        line = line[: found.start()] + "SUBSTITUTED" + line[found.end() :]
    calls: list[list[str]] = [[]]
    reader = shlex.shlex(line, posix=True, punctuation_chars="|")
    reader.whitespace_split = True
    try:
        for word in reader:
            if set(word) == {"|"}:
                calls.append([])
            else:
                calls[-1].append(word)
    except ValueError:
        pytest.fail(f"not a command line: {line}")
    return calls + [call for one in inside for call in _words(one)]


@cache
def kubectl() -> list[list[str]]:
    """The words of every call of kubectl."""
    calls = [call for line in commands() if "..." not in line for call in _words(line)]
    return [call for call in calls if call[:1] == ["kubectl"] and call[-1] != "-k"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """What all overlays and variants have together."""
    folder = tmp_path_factory.mktemp("page")
    found = [document for name in OVERLAYS for document in overlay(name)]
    return found + [document for name in VARIANTS for document in variant(name, folder)]


def test_there_is_something_to_look_at() -> None:
    assert len(kubectl()) > 40
    assert {call[1] for call in kubectl()} <= VERBS


def test_files_and_overlays_that_are_applied_exist() -> None:
    seen = 0
    for call in kubectl():
        for option, word in pairwise(call):
            if option in ("-k", "kustomize"):
                assert (ROOT / word / "kustomization.yaml").is_file(), word
                seen += 1
            if option == "-f" and word != "-" and call[1] == "apply":
                assert (ROOT / word).is_file(), word
                seen += 1
    assert seen > 10


def _selected(selector: str, labels: dict[str, str]) -> bool:
    for term in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        inside = re.fullmatch(r"\s*(\S+) in \(([^)]*)\)\s*", term)
        if inside:
            if labels.get(inside[1]) not in [value.strip() for value in inside[2].split(",")]:
                return False
        else:
            key, _, value = term.strip().partition("=")
            if labels.get(key) != value:
                return False
    return True


def _label_options(call: list[str]) -> list[str]:
    ours = call[: call.index("--")] if "--" in call else call
    return [word for option, word in pairwise(ours) if option == "-l"]


def test_selectors_of_applied_overlays_take_whole_parts() -> None:
    for call in kubectl():
        if call[1] != "apply" or "-k" not in call:
            continue
        documents = overlay(Path(call[call.index("-k") + 1]).name)
        for selector in _label_options(call):
            wanted = re.findall(r"[\w-]+", re.search(r"\((.*)\)", selector)[1])  # type: ignore[index]
            components = {
                document["metadata"].get("labels", {}).get("app.kubernetes.io/component") for document in documents
            }
            assert set(wanted) <= components, selector
            taken = [document for document in documents if _selected(selector, document["metadata"].get("labels", {}))]
            assert 0 < len(taken) < len(documents), selector


def test_selectors_of_pods_and_clusters_match_some(everything: Documents) -> None:
    labels = [pod.labels for pod in pods(everything)]
    labels += [{"ray.io/originated-from-cr-name": one["metadata"]["name"]} for one in everything]  # KubeRay's, on clusters
    labels += [{**one, "batch.kubernetes.io/job-name": "train"} for one in labels]  # Kubernetes', on a job's pods
    labels.append({"kubernetes.io/service-name": "kubernetes"})
    for call in kubectl():
        if call[1] != "apply":
            for selector in _label_options(call):
                assert any(_selected(selector, one) for one in labels), selector


def test_objects_that_are_named_exist(everything: Documents) -> None:
    names = {(document["kind"], document["metadata"]["name"]) for document in everything}
    names |= {("Service", service.name) for service in services(everything)}
    names |= {("Secret", name) for name in documented_secrets()}
    tools = yaml.safe_load((K8S / "tools" / "bundles.yaml").read_text())
    names |= {("Pod", tools["metadata"]["name"]), ("Pod", "redis-0"), ("Pod", "POD"), ("Pod", "SUBSTITUTED")}
    for call in kubectl():
        words = [word for word in call[1:] if not word.startswith("-")]
        for word in words:
            kind, slash, name = word.partition("/")
            if slash and kind in KINDS:
                assert (KINDS[kind], name) in names, word
        if words[0] in ("get", "delete", "describe") and len(words) > 2 and words[1] in KINDS and "-l" not in call:
            assert (KINDS[words[1]], words[2]) in names, call
        if words[0] == "exec":
            assert ("Pod", words[1]) in names, call
        if words[0] == "cp":
            for place in words[1:]:
                if ":" in place:
                    assert ("Pod", place.split(":")[0]) in names or not place.split(":")[0], call


def test_ports_that_are_forwarded_are_the_services(everything: Documents) -> None:
    by_name = {service.name: service for service in services(everything)}
    seen = 0
    for call in kubectl():
        if call[1] == "port-forward":
            service, ports = call[2].removeprefix("service/"), call[3]
            assert int(ports.split(":")[1]) in by_name[service].ports.values(), call
            seen += 1
    assert seen


def test_commands_of_our_own_are_ones() -> None:
    seen = 0
    for line in commands():
        for call in _words(line):
            if "rllib-citylearn" in call:
                ours = call[call.index("rllib-citylearn") :]
                if len(ours) > 2:
                    try:
                        parsed(shlex.join(ours))
                    except ConfigError as error:
                        pytest.fail(str(error))
                    seen += 1
    assert seen > 3


def test_the_shown_sizes_are_what_the_command_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from rllib_citylearn.cli.main import main

    page = PAGE.read_text(encoding="utf-8")
    shown = re.search(
        r"^\$ kubectl kustomize (\S+) \| rllib-citylearn size (\d+) --manifest -\n(.*?)^```", page, re.M | re.S
    )
    assert shown is not None
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(overlay(Path(shown[1]).name)))
    assert main(["size", shown[2], "--manifest", str(file)]) == 0
    assert capsys.readouterr().out == shown[3]


def test_files_that_the_page_names_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:k8s|serve|docker|tests|docs)/[\w./-]+)`", page))
    named |= {f"k8s/{one}" for one in re.findall(r"`((?:overlays|components|base|tools)/[\w./-]+)`", page)}
    missing = {one for one in named if not (ROOT / one).exists() and not one.startswith("docker/")}
    assert len(named) > 12
    assert not missing


def test_what_the_role_of_releases_may_is_what_its_commands_need(everything: Documents) -> None:
    """Those of rolling, training and looking; secrets and whole overlays are an administrator's."""
    (role,) = {yaml.safe_dump(one): one for one in everything if one["kind"] == "Role"}.values()
    allowed: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for resource in rule["resources"]:
            allowed.setdefault(resource, set()).update(rule["verbs"])
    needs: dict[str, Any] = {
        "get": lambda call: [(_plural(call[2]), "get")] if call[2] in KINDS else [],
        "wait": lambda call: [(_plural(next(word for word in call[2:] if "/" in word).split("/")[0]), "watch")],
        "logs": lambda call: [("pods/log", "get")],
        "exec": lambda call: [("pods/exec", "create")],
        "cp": lambda call: [("pods/exec", "create")],
        "port-forward": lambda call: [("pods/portforward", "create")],
        "delete": lambda call: [(_plural(call[2]), "delete")],
    }
    for call in kubectl():
        for resource, verb in needs.get(call[1], lambda call: [])(call):
            if resource not in ("secrets", "endpointslices"):
                assert verb in allowed.get(resource, set()), (call, resource, verb)
    assert "secrets" not in allowed
    assert role["metadata"]["namespace"] == NAMESPACE


def _plural(kind: str) -> str:
    return kind if kind.endswith("s") else f"{kind}s"


def test_every_secret_of_the_manifests_is_made_by_the_page() -> None:
    assert set(documented_secrets()) >= {"ray-token", "policy-tokens", "redis-password", "policy-tls", "object-store"}
