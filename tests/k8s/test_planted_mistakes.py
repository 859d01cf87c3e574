"""Each check finds the mistakes it is for: planted one at a time in manifests that pass."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml

from tests.k8s import crds
from tests.k8s.checks import CHECKS
from tests.k8s.crds import needs_crds
from tests.k8s.documents import GONE, Documents, changed, gathered, named, needs_kubectl, overlay, sentences
from tests.k8s.mistakes import MISTAKES, SERVICE, TRAIN, WORKER, Where

pytestmark = needs_kubectl


def planted(where: Where, path: str, value: Any) -> tuple[Documents, Documents]:
    """An overlay or variant, and the same with the mistake."""
    name, kind, of = where
    sound = gathered(name)
    return sound, changed(sound, kind, of, path, value)


@cache
def _before(check: str, name: str) -> list[str]:
    """What a check says of an overlay or variant as it is."""
    sound = gathered(name)
    return [fault for document in sound for fault in crds.faults(document)] if check == "schema" else CHECKS[check](sound)


def cases(*checks: str) -> list[Any]:
    """All mistakes for some checks, each named by where it is."""
    return [
        pytest.param(check, where, path, value, says, id=f"{check}-{where[2]}-{says}")
        for check in checks
        for where, mistakes in MISTAKES[check].items()
        for path, value, says in mistakes
    ]


@needs_crds
@pytest.mark.parametrize(("check", "where", "path", "value", "says"), cases("schema"))
def test_schema_and_cel(check: str, where: Where, path: str, value: Any, says: str) -> None:
    _, wrong = planted(where, path, value)
    assert not _before(check, where[0])
    assert says in sentences([fault for document in wrong for fault in crds.faults(document)])


@needs_crds
def test_defaults_are_applied_and_nulls_dropped_before_the_schema_is_asked() -> None:
    """As an API server does: a null where a number belongs is what was not said."""
    for path in (f"{WORKER}.numOfHosts", f"{WORKER}.idleTimeoutSeconds"):
        _, nulled = planted(SERVICE, path, None)
        assert not [fault for document in nulled for fault in crds.faults(document)]


@pytest.mark.parametrize(("check", "where", "path", "value", "says"), cases(*CHECKS))
def test_a_planted_mistake_is_found(check: str, where: Where, path: str, value: Any, says: str) -> None:
    _, wrong = planted(where, path, value)
    assert not _before(check, where[0])
    assert says.lower() in sentences(CHECKS[check](wrong)).lower()


SERVING = "applications.0.deployments.0"


@pytest.mark.parametrize(
    ("check", "path", "value", "says"),
    [
        ("operator", "http_options.host", "127.0.0.1", "where no Service reaches it"),
        ("operator", f"{SERVING}.autoscaling_config", GONE, "does not scale"),
        ("operator", f"{SERVING}.autoscaling_config.initial_replicas", 9, "initial_replicas is not between"),
        ("operator", f"{SERVING}.max_ongoing_requests", 64, "refusals lack Retry-After"),
        ("contents", "applications.0.import_path", "serve.application:build_app", "can't be imported"),
        ("contents", f"{SERVING}.autoscaling_config.policy.policy_function", "serve.autoscaling:Busy", "can't be imported"),
        ("contents", f"{SERVING}.user_config.communities.default.versions.current", "/policies/a", "is on no volume"),
        ("contents", f"{SERVING}.user_config.communities.default.serving", "next", "is to serve 'next'"),
        ("contents", f"{SERVING}.user_config.tokens", GONE, "everybody who reaches the port"),
        ("contents", "http_options.port", 8001, "Serve listens at 8001"),
        ("sizes", f"{SERVING}.autoscaling_config.max_replicas", 9, "9 replicas do not fit into 4 pods"),
        ("sizes", f"{SERVING}.ray_actor_options.num_cpus", 2, "do not fit into 4 pods"),
        ("sizes", f"{SERVING}.autoscaling_config.min_replicas", 5, "min_replicas 5 need 3 pods"),
        ("sizes", f"{SERVING}.graceful_shutdown_timeout_s", 90, "may take 90 s"),
    ],
)
def test_a_mistake_in_the_serve_config_is_found(check: str, path: str, value: Any, says: str) -> None:
    sound = overlay("production")
    config = yaml.safe_load(named(sound, "RayService", "policy")["spec"]["serveConfigV2"])
    wrapped = changed([{"kind": "Config", "metadata": {"name": "serve"}, **config}], "Config", "serve", path, value)[0]
    text = yaml.safe_dump({key: one for key, one in wrapped.items() if key not in ("kind", "metadata")})
    wrong = changed(sound, "RayService", "policy", "spec.serveConfigV2", text)
    assert not CHECKS[check](sound)
    assert says in sentences(CHECKS[check](wrong))


def test_never_scaling_is_found() -> None:
    sound = overlay("production")
    config = yaml.safe_load(named(sound, "RayService", "policy")["spec"]["serveConfigV2"])
    deployment = config["applications"][0]["deployments"][0]
    deployment["max_ongoing_requests"] = deployment["autoscaling_config"]["target_ongoing_requests"] = 1
    wrong = changed(sound, "RayService", "policy", "spec.serveConfigV2", yaml.safe_dump(config))
    assert "ray#24793" in sentences(CHECKS["operator"](wrong))


UPGRADE = {"gatewayClassName": "envoy", "maxSurgePercent": 50, "stepSizePercent": 10, "intervalSeconds": 30}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"maxSurgePercent": 0}, "kuberay#4239"),
        ({"stepSizePercent": 60}, "stepSizePercent is 60"),
        ({"intervalSeconds": 0}, "intervalSeconds"),
        ({"gatewayClassName": ""}, "gatewayClassName is needed"),
        ({}, "goes past KubeRay's Gateway"),  # the overlay's HTTPRoute
    ],
)
def test_mistakes_in_upgrades_by_shares_are_found(change: dict[str, Any], says: str) -> None:
    strategy = {"type": "NewClusterWithIncrementalUpgrade", "clusterUpgradeOptions": UPGRADE | change}
    _, wrong = planted(SERVICE, "spec.upgradeStrategy", strategy)
    assert says in sentences(CHECKS["operator"](wrong))


FULL = "train /work/tune_configs/full.yaml"
BEST = "train /work/tune_configs/best.yaml"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"{BEST} --address auto --runs /tmp/r --storage /runs --name a --continue", "is not in the image"),
        (
            "train tune_configs/full.yaml --address auto --runs /tmp/r --storage /runs --name a --continue",
            "is not in the image",
        ),
        (f"{FULL} --runs /tmp/r --storage /runs --name a --continue", "--address auto"),
        (f"{FULL} --address auto --runs /tmp/r --storage /runs --name a", "needs --continue"),
        (f"{FULL} --address auto --storage /runs --name a --continue", "read-only root"),
        (f"{FULL} --address auto --runs /tmp/r --name a --continue", "without --storage"),
        (
            f"{FULL} --address auto --runs /tmp/r --storage /tmp/s --name a --continue",
            "is not one volume that all nodes write to",
        ),
        (f"{FULL} --address auto --runs /tmp/r --storage $RUNS --name a --continue", "shell would replace"),
    ],
)
def test_mistakes_in_commands_are_found(command: str, says: str) -> None:
    _, wrong = planted(TRAIN, "spec.entrypoint", f"rllib-citylearn {command}")
    assert says in sentences(CHECKS["contents"](wrong))
