"""Commands of docs/deploy.md name what there is."""

from __future__ import annotations

import json
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
from tests.k8s.documents import K8S, OVERLAYS, ROOT, VARIANTS, Documents, gathered, named, needs_kubectl, overlay, title
from tests.k8s.injected import pods, services
from tests.k8s.references import NAMESPACE, PAGE, documented_secrets
from tests.k8s.sizes import CORES_A_REPLICA, MEBIBYTES

pytestmark = needs_kubectl

KINDS = {
    "pod": "Pod",
    "pods": "Pod",
    "service": "Service",
    "rayservice": "RayService",
    "rayjob": "RayJob",
    "raycluster": "RayCluster",
    "statefulset": "StatefulSet",
    "deployment": "Deployment",
    "secret": "Secret",
    "endpointslices": "EndpointSlice",
}
LOOK = {"get", "describe", "logs", "wait", "kustomize", "config"}
VERBS = LOOK | {"apply", "patch", "delete", "create", "cp", "exec", "port-forward", "rollout"}


def sections() -> list[str]:
    """Headings of the second order."""
    return re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.M)


def commands(section: str | None = None) -> list[str]:
    """Every line of a block that is a command, continued lines joined, and commands in the text; of a section, or of all."""
    page = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    if section is not None:
        page = re.split(r"^## ", page.partition(f"\n## {section}\n")[2], maxsplit=1, flags=re.M)[0]
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
def kubectl(section: str | None = None) -> list[list[str]]:
    """The words of every call of kubectl, of one section or of all."""
    calls = [call for line in commands(section) if "..." not in line for call in _words(line)]
    return [call for call in calls if call[:1] == ["kubectl"] and call[-1] != "-k"]


@pytest.fixture(scope="module")
def everything() -> Documents:
    """What all overlays and variants have together."""
    return [document for name in (*OVERLAYS, *VARIANTS) for document in gathered(name)]


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
            taken = _taken(documents, selector)
            assert 0 < len(taken) < len(documents), selector
            several = re.search(r"(\S+) in \((.*)\)", selector)
            if several:
                values = {document["metadata"].get("labels", {}).get(several[1]) for document in taken}
                assert values == set(re.findall(r"[\w-]+", several[2])), selector


def _taken(documents: Documents, selector: str) -> Documents:
    return [document for document in documents if _selected(selector, document["metadata"].get("labels", {}))]


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


def test_what_is_patched_is_there(everything: Documents) -> None:
    cluster = named(overlay("production"), "RayService", "policy")["spec"]["rayClusterConfig"]
    (call,) = [call for call in kubectl() if call[1] == "patch"]
    for change in json.loads(call[call.index("-p") + 1]):
        at: Any = {"spec": cluster}
        for part in change["path"].split("/")[1:]:
            at = at[int(part)] if isinstance(at, list) else at[part]
        assert isinstance(at, type(change["value"]))


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


def test_the_pages_numbers_are_those_that_manifests_are_held_to() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| .+? \| ([\d,]+) MiB \|$", page, flags=re.M)
    assert [int(number.replace(",", "")) for _, number in rows] == list(MEBIBYTES.values())
    assert f"2 x {CORES_A_REPLICA:g} = 3 cores" in page


def test_files_that_the_page_names_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:k8s|serve|docker|tests|docs)/[\w./-]+)`", page))
    named |= {f"k8s/{one}" for one in re.findall(r"`((?:overlays|components|base|tools)/[\w./-]+)`", page)}
    missing = {one for one in named if not (ROOT / one).exists() and not one.startswith("docker/")}
    assert len(named) > 12
    assert not missing


ADMINISTRATORS = {
    "From nothing to a request: kind or minikube",
    "From nothing to a request: a managed cluster",
    "Rotate tokens",
}
"""Sections whose commands are no release's."""

WHOLE = {"Scale": 1, "Training": 2}
"""How often others apply more than Ray's objects, which the page calls an administrator's there."""


def _needs(call: list[str]) -> list[tuple[str, str]]:
    """Resources and verbs that a call of kubectl takes."""
    match call[1]:
        case "get" | "describe":
            return [(_plural(call[2]), "get")] if call[2] in KINDS else []
        case "wait":
            kind = next(word for word in call[2:] if not word.startswith("-")).split("/")[0]
            return [(_plural(kind), "watch")]
        case "logs":
            return [("pods/log", "get")]
        case "exec" | "cp":
            return [("pods/exec", "create"), ("pods", "get")]
        case "port-forward":
            return [("pods/portforward", "create"), ("services", "get")]
        case "delete":
            return [(_plural(call[2]), "delete")]
        case "patch":
            return [("rayclusters", "patch"), ("rayclusters", "get")]
        case "apply" if "-k" in call:
            documents = overlay(Path(call[call.index("-k") + 1]).name)
            for selector in _label_options(call):
                documents = _taken(documents, selector)
            return [(_plural(one["kind"].lower()), verb) for one in documents for verb in ("get", "create", "patch")]
        case "apply":
            return [("pods", "get"), ("pods", "create")]
        case "create":
            return [(_plural(call[2]), "create")]
        case "config" | "kustomize":
            return []
    raise AssertionError(f"what does {call} need?")


def _refused(role: Any, call: list[str]) -> list[tuple[str, str]]:
    allowed = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    return [need for need in _needs(call) if need not in allowed and need[0] not in ("secrets", "endpointslices")]


@pytest.mark.parametrize("section", [one for one in sections() if one not in ADMINISTRATORS])
def test_what_the_role_of_releases_may_is_what_its_commands_need(section: str) -> None:
    """Those of rolling, training and looking; secrets and whole overlays are an administrator's."""
    role = named(overlay("production"), "Role", "policy-release")
    refused = [call for call in kubectl(section) if _refused(role, call)]
    assert all(call[1] == "apply" and "-k" in call for call in refused), refused
    assert len(refused) == WHOLE.get(section, 0), refused


def test_what_that_role_may_not_is_noticed() -> None:
    role = named(overlay("production"), "Role", "policy-release")
    assert "secrets" not in {resource for rule in role["rules"] for resource in rule["resources"]}
    assert role["metadata"]["namespace"] == NAMESPACE
    whole = ["kubectl", "apply", "-k", "k8s/overlays/production"]
    assert ("networkpolicies", "patch") in _refused(role, whole)
    assert not _refused(role, [*whole, "-l", "app.kubernetes.io/name=policy"])
    assert _refused(role, [*whole, "-l", "app.kubernetes.io/component in (serve)"])


@pytest.mark.parametrize(
    ("name", "of", "kind"),
    [
        ("production", "policy", "RayService"),
        ("local", "policy", "RayService"),
        ("gpu", "train", "RayJob"),
        ("cpu", "tune", "RayJob"),
        ("cpu", "interactive", "RayCluster"),
    ],
)
def test_rays_objects_are_applied_alone_by_their_names(name: str, of: str, kind: str) -> None:
    assert [title(one) for one in _taken(overlay(name), f"app.kubernetes.io/name={of}")] == [f"{kind} {of}"]


def _plural(kind: str) -> str:
    if kind.endswith("y"):
        return f"{kind[:-1]}ies"
    return kind if kind.endswith("s") else f"{kind}s"


def test_every_secret_of_the_manifests_is_made_by_the_page() -> None:
    assert set(documented_secrets()) >= {"ray-token", "policy-tokens", "redis-password", "policy-tls", "object-store"}


def test_whatever_is_installed_is_known_by_then() -> None:
    """`helm install` of a repository comes after it was added, and `kubectl` after there is a cluster."""
    lines = commands()
    places = {start: next(k for k, line in enumerate(lines) if line.startswith(start)) for start in ORDER}
    assert list(places.values()) == sorted(places.values())
    assert sum(line.startswith("helm install") for line in lines) == 1


ORDER = ("kind create cluster", "helm repo add kuberay", "helm install kuberay-operator kuberay/", "kubectl apply")


def test_a_damaged_bundle_is_removed_before_it_is_copied_again() -> None:
    """Into a folder that is there `kubectl cp` copies a folder, and what was damaged stays."""
    (row,) = re.findall(r"^\| A damaged bundle \|.*$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert "kubectl exec bundles -- rm -r /bundles/current" in row
    targets = [call[3] for call in kubectl() if call[1] == "cp" and call[3].startswith("bundles:")]
    assert len(targets) == len(set(targets)) == 2


def test_deadlines_are_said_to_be_of_each_try() -> None:
    """KubeRay counts them from the start of each cluster (``initRayJobStatusIfNeed`` of rayjob_controller.go)."""
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    hours = {3600: "an hour", 4 * 3600: "four hours", 12 * 3600: "twelve", 1800: "half an hour"}
    said = re.search(r"Each try has ([^.]*)\.", page)
    assert said is not None
    for name in ("train", "tune"):
        spec = named(overlay("cpu"), "RayJob", name)["spec"]
        assert hours[spec["activeDeadlineSeconds"]] in said[1]
        assert hours[spec["preRunningDeadlineSeconds"]] in said[1]


def test_accounts_of_pods_that_write_to_the_store_are_named() -> None:
    """Those of workload identity: a search's command runs on its head, under another account than a training's."""
    found = pods(gathered("runs in an object store"))
    accounts = {pod.spec["serviceAccountName"] for pod in found if any("envFrom" in one for one in pod.spec["containers"])}
    (paragraph,) = re.findall(r"^With `components/object-store`.*?\n\n", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert accounts == {"ray-pod", "ray-head"}
    assert all(f"`{account}`" in paragraph for account in accounts)


def test_every_component_and_overlay_has_a_row() -> None:
    rows = " ".join(re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), flags=re.M))
    for one in (*(K8S / "components").iterdir(), *(K8S / "overlays").iterdir()):
        name = one.name if one.parent.name == "components" else f"overlays/{one.name}"
        assert f"`{name}`" in rows, name
