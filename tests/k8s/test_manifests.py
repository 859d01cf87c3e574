"""Every manifest of every overlay, and of the components that no overlay has, is one that a cluster would take and run."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rllib_citylearn import __version__
from tests.k8s import contents, core, crds, injected, operator_rules, references, restricted, sizes
from tests.k8s.crds import needs_crds
from tests.k8s.documents import (
    K8S,
    OVERLAYS,
    ROOT,
    VARIANTS,
    Document,
    Documents,
    needs_kubectl,
    overlay,
    render,
    sentences,
    serve_config,
    variant,
)

pytestmark = needs_kubectl

EVERYTHING = (*OVERLAYS, *VARIANTS, "local with tools")

CHECKS: dict[str, Callable[[Documents], list[str]]] = {
    "core": lambda documents: [fault for document in documents for fault in core.faults(document)],
    "operator": operator_rules.faults,
    "restricted": lambda documents: restricted.faults(injected.pods(documents)),
    "references": references.faults,
    "contents": contents.faults,
    "sizes": sizes.faults,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For variants."""
    return tmp_path_factory.mktemp("variants")


def documents(name: str, folder: Path) -> Documents:
    """Of an overlay or variant; the tools belong to what `local` makes."""
    if name == "local with tools":
        tools: Document = yaml.safe_load((K8S / "tools" / "bundles.yaml").read_text())
        tools["metadata"]["labels"].setdefault("app.kubernetes.io/component", "tools")
        return [*overlay("local"), tools]
    return overlay(name) if name in OVERLAYS else variant(name, folder)


@needs_crds
@pytest.mark.parametrize("name", EVERYTHING)
def test_rays_objects_are_valid(name: str, folder: Path) -> None:
    found = documents(name, folder)
    assert any(document["apiVersion"] == "ray.io/v1" for document in found)
    assert not (faults := [fault for document in found for fault in crds.faults(document)]), sentences(faults)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_cluster_would_take_and_run_it(name: str, check: str, folder: Path) -> None:
    assert not (faults := CHECKS[check](documents(name, folder))), sentences(faults)


def test_every_component_is_in_an_overlay_or_a_variant() -> None:
    used = {new for _, changes in VARIANTS.values() for _, new in changes}
    for name in OVERLAYS:
        listed = yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text()).get("components", [])
        used |= {Path(one).name for one in listed}
    assert used == {one.name for one in (K8S / "components").iterdir()}


def test_images_of_overlays_reach_every_container() -> None:
    for name, image in (("production", "rllib-citylearn-serve"), ("cpu", "rllib-citylearn-train")):
        for pod in injected.pods(overlay(name)):
            for container in [*pod.spec.get("initContainers", []), *pod.spec["containers"]]:
                ours = image in container["image"]
                assert not ours or container["image"].startswith(f"registry.example.org/{image}:"), pod.of
    gpu = {container["image"] for pod in injected.pods(overlay("gpu")) for container in pod.spec["containers"]}
    assert gpu == {"registry.example.org/rllib-citylearn-train:0.1.0-gpu"}


def test_what_is_taken_from_serve_is_as_it_is_there() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "manifests.py"))["files"]()
    assert len(written) == 5
    for path, text in written.items():
        assert path.read_text(encoding="utf-8") == text, f"run `make docs`: {path.relative_to(ROOT)}"


@pytest.mark.parametrize("name", ["local", "production"])
def test_the_deployed_serve_config_is_serves_own_but_for_what_a_cluster_needs(name: str) -> None:
    """Independent of what writes it: every difference is one of these."""
    ours = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text())
    deployed = serve_config(overlay(name))
    assert deployed is not None
    places = {"http_options.host", "user_config.tokens", "autoscaling_config.min_replicas"}
    places |= {"autoscaling_config.max_replicas", "autoscaling_config.initial_replicas"}
    assert {place for place in _differences(ours, deployed) if not any(place.endswith(one) for one in places)} == set()
    assert any(place.endswith("http_options.host") for place in _differences(ours, deployed))


def _differences(one: object, other: object, path: str = "") -> set[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        return {place for key in {*one, *other} for place in _differences(one.get(key), other.get(key), f"{path}.{key}")}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return {
            place for k, (a, b) in enumerate(zip(one, other, strict=True)) for place in _differences(a, b, f"{path}.{k}")
        }
    return set() if one == other else {path}


def test_the_serve_config_is_one_that_serve_takes() -> None:
    schema = pytest.importorskip("ray.serve.schema")
    for name in ("local", "production"):
        deployed = schema.ServeDeploySchema.model_validate(serve_config(overlay(name)))
        assert deployed.applications[0].import_path == "serve.app:build_app"


@pytest.mark.parametrize(("file", "user"), [("serve.Dockerfile", "1001:1001"), ("train.Dockerfile", "1001:1001")])
def test_images_are_as_the_manifests_take_them(file: str, user: str) -> None:
    path = ROOT / "docker" / file
    if not path.is_file():
        pytest.skip(f"docker/{file} is not here to be compared with the manifests")
    text = path.read_text(encoding="utf-8")
    assert f"USER {user}\n" in text
    assert f"ARG VERSION={__version__}\n" in text
    assert "/opt/venv/bin" in text
    for pod in injected.pods([*overlay("production"), *overlay("cpu")]):
        if "citylearn" in pod.spec["containers"][0]["image"]:
            context = pod.spec["securityContext"]
            assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    if file.startswith("train"):
        assert f"WORKDIR {contents.IN_IMAGE}\n" in text
        assert "COPY tune_configs tune_configs\n" in text


def test_bases_can_be_rendered_alone() -> None:
    for base in sorted((K8S / "base").iterdir()):
        assert render(base), base.name
