"""Whether what pods are told to run exists: images, commands, files, the Serve application and its bundles."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rllib_citylearn import __version__
from rllib_citylearn.cli.main import build_parser
from rllib_citylearn.errors import ConfigError
from serve.settings import settings
from tests.k8s.documents import ROOT, Document, Documents, ray_clusters, serve_config, templates, title
from tests.k8s.injected import Pod, pods

IN_IMAGE = Path("/work")
"""Where the image for training has the repository's tune_configs/."""

ENTRYPOINT = ["tini", "--", "rllib-citylearn"]
"""Of both images. tini passes signals on, which a first process without a handler would ignore."""

_OURS = {"rllib-citylearn-serve", "rllib-citylearn-train"}
_LEAST_REDIS = (7, 2, 14)
"""Below it, holes are known: CVE-2024-31228, CVE-2025-49844, CVE-2026-23479."""
_PINNED = re.compile(r"[a-z0-9._:/-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def faults(documents: Documents) -> list[str]:
    """What does not exist."""
    return [
        *(f"{pod.of}: {sentence}" for pod in pods(documents) for sentence in _images(pod)),
        *_serving(documents),
        *_jobs(documents),
        *_standalone(documents),
        *_entrypoints(documents),
    ]


def _images(pod: Pod) -> Iterator[str]:
    for container in [*pod.spec.get("initContainers", []), *pod.spec["containers"]]:
        image = container["image"]
        name, _, tag = image.rpartition("/")[2].partition("@")[0].partition(":")
        if not _PINNED.fullmatch(image):
            yield f"{container['name']}: {image} has no version of its own"
        elif name in _OURS and _is_not_pushed(image) and not re.fullmatch(rf"{re.escape(__version__)}(-gpu)?", tag):
            yield f"{container['name']}: {image} is not of version {__version__}"
        elif name == "redis" and tuple(map(int, re.findall(r"\d+", tag)[:3])) < _LEAST_REDIS:
            yield f"{container['name']}: {image} has holes that are mended in {'.'.join(map(str, _LEAST_REDIS))}"
        elif name not in _OURS | {"redis"}:
            yield f"{container['name']}: {image} is none of the images that docker/ builds"
        elif name == "rllib-citylearn-serve" and any(one in pod.of for one in ("RayJob", "RayCluster")):
            yield f"{container['name']}: {image} has nothing that trains"


def _is_not_pushed(image: str) -> bool:
    """Whether its name is that of a build here, or an example; in somebody's own registry it has versions of its own."""
    return "/" not in image or image.startswith("registry.example.org/")


def _mounted(container: Document, path: str) -> Document | None:
    """The mount that a path lies on."""
    mounts = [mount for mount in container.get("volumeMounts", []) if Path(path).is_relative_to(mount["mountPath"])]
    return max(mounts, key=lambda mount: len(mount["mountPath"]), default=None)


def _serving(documents: Documents) -> Iterator[str]:
    config = serve_config(documents)
    if config is None:
        return
    for document, cluster in ray_clusters(documents):
        if document["kind"] != "RayService":
            continue
        for application in config["applications"]:
            yield from _importable(application["import_path"])
            for deployment in application["deployments"]:
                policy = deployment.get("autoscaling_config", {}).get("policy", {}).get("policy_function")
                yield from _importable(policy) if policy else ()
                for group, _, template in templates(cluster):
                    container, volumes = template["spec"]["containers"][0], template["spec"]["volumes"]
                    for sentence in _files(deployment["user_config"], container, volumes):
                        yield f"{title(document)}: {group}: {sentence}"
        head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in head["ports"]}
        listens = config["http_options"]["port"]
        if ports.get("serve") != listens:
            yield f"{title(document)}: Serve listens at {listens}, and the pods' port is {ports.get('serve')}"


def _importable(path: str) -> Iterator[str]:
    module, _, attribute = path.partition(":")
    try:
        found = hasattr(importlib.import_module(module), attribute)
    except ImportError:
        found = False
    if not found:
        yield f"{path} can't be imported"


def _files(config: Any, container: Document, volumes: list[Document]) -> Iterator[str]:
    try:
        wanted = settings(config)
    except ConfigError as error:
        yield str(error)
        return
    by_name = {volume["name"]: volume for volume in volumes}
    bundles = [path for community in wanted.served.values() for path in community.versions.values()]
    bundles += [community.recorded for community in wanted.served.values() if community.recorded]
    for path in bundles:
        mount = _mounted(container, path)
        if mount is None or "persistentVolumeClaim" not in by_name[mount["name"]]:
            yield f"{path} is on no volume of its pods"
    if wanted.tokens is None:
        yield "everybody who reaches the port is answered; name a file of tokens"
    else:
        mount = _mounted(container, wanted.tokens)
        if mount is None or "secret" not in by_name[mount["name"]]:
            yield f"{wanted.tokens} is in no secret of its pods"
        elif mount.get("subPath"):
            yield f"{wanted.tokens} is mounted by subPath, so that new tokens would not arrive"


def parsed(command: str) -> Any:
    """A command line as the real parser reads it.

    Raises:
        ConfigError: it can't.
    """
    program, *arguments = shlex.split(command)
    if program != "rllib-citylearn":
        raise ConfigError(f"{program} is no program of the images")
    try:
        return build_parser().parse_args(arguments)
    except SystemExit as error:
        raise ConfigError(f"the command line is refused: {command}") from error


def _jobs(documents: Documents) -> Iterator[str]:
    for document, cluster in ray_clusters(documents):
        if document["kind"] != "RayJob":
            continue
        command = document["spec"]["entrypoint"]
        if re.search(r"[$`]", command):
            yield f"{title(document)}: the submitter's shell would replace what begins with $ in the command"
        try:
            options = parsed(command)
        except ConfigError as error:
            yield f"{title(document)}: {error}"
            continue
        file = options.preset if options.command == "train" else options.search
        if not file.is_relative_to(IN_IMAGE) or not (ROOT / file.relative_to(IN_IMAGE)).is_file():
            yield f"{title(document)}: {file} is not in the image"
        if options.address != "auto":
            yield f"{title(document)}: without --address auto it would start a Ray of its own"
        if not (options.go_on and options.name):
            yield f"{title(document)}: a job that is tried again needs --continue and --name"
        head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
        runs = _mounted(head, str(options.runs))
        if runs is None or not options.runs.is_absolute():
            yield f"{title(document)}: --runs {options.runs} is on the read-only root"
        yield from (f"{title(document)}: {sentence}" for sentence in _gpus(options, cluster))
        if options.storage is None:
            yield f"{title(document)}: without --storage what was learned ends with the head"
        elif "://" in options.storage:
            credentials = {
                group: template["spec"]["containers"][0].get("envFrom") for group, _, template in templates(cluster)
            }
            for group in [group for group, given in credentials.items() if not given]:
                yield f"{title(document)}: {group} has no credentials for {options.storage}"
        else:
            claims = []
            for _, _, template in templates(cluster):
                mount = _mounted(template["spec"]["containers"][0], options.storage)
                by_name = {volume["name"]: volume for volume in template["spec"]["volumes"]}
                claim = by_name[mount["name"]].get("persistentVolumeClaim") if mount and not mount.get("readOnly") else None
                claims.append(claim and claim["claimName"])
            if len(set(claims)) != 1 or claims[0] is None:
                yield f"{title(document)}: {options.storage} is not one volume that all nodes write to"


def _gpus(options: Any, cluster: Document) -> Iterator[str]:
    """A search's trials take a share of a GPU only if they are told to; `train` takes one where there is one."""
    gpus = {group: int(spec["rayStartParams"].get("num-gpus", 0)) for group, spec, _ in templates(cluster)}
    told = [one for one in options.set if one.startswith("runners.num_gpus_per_learner=")]
    if options.command != "tune" or not (any(gpus.values()) or told):
        return
    if not (any(gpus.values()) and told):
        yield "either trials take a share of a GPU (--set runners.num_gpus_per_learner) or no worker has one"
        return
    share = float(told[-1].partition("=")[2])
    for group, spec, _ in templates(cluster):
        if gpus[group] and float(spec["rayStartParams"]["num-cpus"]) < gpus[group] // share:
            yield f"{group}: {spec['rayStartParams']['num-cpus']} cores do not do for the trials that share its GPU"
        if group != "head" and not gpus[group] and spec["minReplicas"]:
            yield f"{group}: {spec['minReplicas']} workers without a GPU wait for trials that need one"


def _entrypoints(documents: Documents) -> Iterator[str]:
    """Pods that are written out; KubeRay gives its own commands."""
    for document in documents:
        if document["kind"] not in ("Deployment", "Pod"):
            continue
        spec = document["spec"] if document["kind"] == "Pod" else document["spec"]["template"]["spec"]
        for container in spec["containers"]:
            command = container.get("command")
            if command is not None and command[: len(ENTRYPOINT) - 1] != ENTRYPOINT[:-1]:
                yield f"{title(document)}: {command[0]} takes the place of tini, so that signals are passed on to nobody"


def _standalone(documents: Documents) -> Iterator[str]:
    for document in documents:
        if document["kind"] != "Deployment":
            continue
        spec = document["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        words = [*container.get("command", ENTRYPOINT), *container.get("args", [])]
        options = parsed(shlex.join(words[2:] if words[:2] == ENTRYPOINT[:2] else words))
        mount = _mounted(container, str(options.settings))
        maps = {one["metadata"]["name"]: one["data"] for one in documents if one["kind"] == "ConfigMap"}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        data = maps.get(volumes[mount["name"]].get("configMap", {}).get("name"), {}) if mount else {}
        content = data.get(options.settings.name)
        if content is None:
            yield f"{title(document)}: {options.settings} is in no ConfigMap"
            continue
        for sentence in _files(yaml.safe_load(content), container, spec["volumes"]):
            yield f"{title(document)}: {sentence}"
        if options.host != "0.0.0.0":
            yield f"{title(document)}: listens at {options.host}, where no Service reaches it"
