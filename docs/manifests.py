"""Writes into k8s/ what it takes from serve/: Serve config, settings, dashboard (``python docs/manifests.py``)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rllib_citylearn.files import write_text

ROOT = Path(__file__).resolve().parents[1]

_WRITTEN = "# Written by `make docs` from serve/config.yaml; change that, or docs/manifests.py.\n"

SCALING: Mapping[str, Mapping[str, Any]] = {
    "k8s/base/serving": {},
    "k8s/overlays/local": {"max_replicas": 2},
    "k8s/overlays/production": {"min_replicas": 2, "initial_replicas": 2},
}
"""Where a Serve config goes, and what of ``autoscaling_config`` is otherwise there."""


class _Text(str):
    """A string that YAML writes as a block."""

    __slots__ = ()


def _block(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")


yaml.SafeDumper.add_representer(_Text, _block)


def serve_config(scaling: Mapping[str, Any]) -> dict[str, Any]:
    """serve/config.yaml as it stands in a cluster: behind a Service, asking for tokens.

    Args:
        scaling: what of ``autoscaling_config`` is to be otherwise.
    """
    config: dict[str, Any] = copy.deepcopy(yaml.safe_load((ROOT / "serve" / "config.yaml").read_text(encoding="utf-8")))
    config["http_options"]["host"] = "0.0.0.0"
    (deployment,) = config["applications"][0]["deployments"]
    deployment["user_config"]["tokens"] = "/secrets/tokens"
    deployment["autoscaling_config"] |= scaling
    return config


def files() -> dict[Path, str]:
    """What ``make docs`` writes, by file."""
    written = {}
    for folder, scaling in SCALING.items():
        text = yaml.safe_dump(serve_config(scaling), sort_keys=False, width=120)
        patch = {
            "apiVersion": "ray.io/v1",
            "kind": "RayService",
            "metadata": {"name": "policy"},
            "spec": {"serveConfigV2": _Text(text)},
        }
        written[ROOT / folder / "serve-config.yaml"] = _WRITTEN + yaml.safe_dump(patch, sort_keys=False)
    settings = serve_config({})["applications"][0]["deployments"][0]["user_config"]
    written[ROOT / "k8s" / "components" / "standalone" / "settings.yaml"] = _WRITTEN + yaml.safe_dump(
        settings, sort_keys=False
    )
    dashboard = (ROOT / "serve" / "grafana.json").read_text(encoding="utf-8")
    written[ROOT / "k8s" / "components" / "monitoring" / "policies.json"] = dashboard
    return written


if __name__ == "__main__":
    for path, text in files().items():
        write_text(path, text)
