"""Every manifest of every overlay, and of the components that no overlay has, is one that a cluster would take and run."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import yaml

from rllib_citylearn import __version__
from tests.k8s import contents, crds, injected
from tests.k8s.checks import CHECKS
from tests.k8s.crds import needs_crds
from tests.k8s.documents import (
    K8S,
    OVERLAYS,
    ROOT,
    VARIANTS,
    WITH_TOOLS,
    changed,
    gathered,
    named,
    needs_kubectl,
    overlay,
    render,
    sentences,
    serve_config,
    title,
)

pytestmark = needs_kubectl

EVERYTHING = (*OVERLAYS, *VARIANTS, WITH_TOOLS)


@needs_crds
@pytest.mark.parametrize("name", [name for name in EVERYTHING if name != "standalone"])
def test_rays_objects_are_valid(name: str) -> None:
    found = gathered(name)
    assert any(document["apiVersion"] == "ray.io/v1" for document in found)
    assert not (faults := [fault for document in found for fault in crds.faults(document)]), sentences(faults)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_cluster_would_take_and_run_it(name: str, check: str) -> None:
    assert not (faults := CHECKS[check](gathered(name))), sentences(faults)


def test_nothing_of_the_standalone_overlay_needs_kinds_that_are_not_kubernetes_own() -> None:
    """`kubectl apply -k` ends with an error where one kind is unknown, after it has made the rest."""
    own = {"v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"}
    assert {document["apiVersion"] for document in overlay("standalone")} == own
    assert named(overlay("standalone"), "Deployment", "policy-standalone") == named(
        overlay("local"), "Deployment", "policy-standalone"
    )


@pytest.mark.parametrize("name", [name for name, (_, changes) in VARIANTS.items() if (None, "object-store") in changes])
def test_runs_in_an_object_store_need_no_volume(name: str) -> None:
    found = gathered(name)
    assert not [title(document) for document in found if document["kind"] == "PersistentVolumeClaim"]
    for pod in injected.pods(found):
        assert not [volume for volume in pod.spec["volumes"] if "persistentVolumeClaim" in volume], pod.of
    jobs = [document for document in found if document["kind"] == "RayJob"]
    assert len(jobs) == 2
    for job in jobs:
        assert contents.parsed(job["spec"]["entrypoint"]).storage == "s3://rllib-citylearn/runs"


def test_volumes_that_all_nodes_write_to_are_seen_where_there_are_some() -> None:
    claims = [one for one in overlay("cpu") if one["kind"] == "PersistentVolumeClaim"]
    assert [claim["spec"]["accessModes"] for claim in claims] == [["ReadWriteMany"]]


def test_every_component_is_in_an_overlay_or_a_variant() -> None:
    used = {new for _, changes in VARIANTS.values() for _, new in changes}
    for name in OVERLAYS:
        listed = yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text()).get("components", [])
        used |= {Path(one).name for one in listed}
    assert used == {one.name for one in (K8S / "components").iterdir()}


@pytest.mark.parametrize("name", ["production", "cpu", "gpu"])
def test_images_of_overlays_reach_every_container(name: str) -> None:
    images = set()
    for pod in injected.pods(overlay(name)):
        images |= {container["image"] for container in (*pod.spec.get("initContainers", []), *pod.spec["containers"])}
    (ours,) = {image for image in images if "citylearn" in image}
    assert "/" in ours, "no registry"
    assert ours.endswith("-gpu") == (name == "gpu")


@pytest.mark.parametrize(
    "image", ["ghcr.io/owner/rllib-citylearn-serve:0.1.0", "registry.example.org:5000/rllib-citylearn-serve:0.1.0"]
)
def test_images_may_have_the_names_that_registries_give_them(image: str) -> None:
    path = "spec.template.spec.containers.0.image"
    assert not contents.faults(changed(overlay("standalone"), "Deployment", "policy-standalone", path, image))


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
    assert f"ENTRYPOINT {json.dumps(contents.ENTRYPOINT)}\n" in text
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
