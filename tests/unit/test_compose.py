"""docker/compose.yaml and the files that it mounts: whole, closed, and naming what exists."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.settings import settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())

KEYS = {
    *("image", "build", "command", "ports", "volumes", "secrets", "tmpfs", "shm_size", "mem_limit", "memswap_limit"),
    *("pids_limit", "stop_grace_period", "networks", "restart", "read_only", "cap_drop", "security_opt", "logging"),
    *("depends_on", "environment", "ulimits"),
}
"""Of a service, as far as they are used here: a misspelt one is no key of Compose's."""


def faults(compose: dict[str, Any]) -> list[str]:
    """Everything about a Compose file that does not hold together or is open."""
    found = []
    services = compose["services"]
    for name, service in services.items():
        found += [f"{name}: {key} is unknown" for key in set(service) - KEYS]
        found += [f"{name}: the image has no full version" for _ in [0] if not _pinned(service["image"])]
        for mount in service.get("volumes", []):
            source, target, *mode = _plain(mount).split(":")
            if source.startswith((".", "/")):
                made = source.startswith("./secrets/")  # by who starts it, and kept out of git
                found += [f"{name}: {source} is not there" for _ in [0] if not made and not (FOLDER / source).exists()]
                found += [f"{name}: {source} can be written to" for _ in [0] if mode != ["ro"]]
            elif source not in compose["volumes"]:
                found.append(f"{name}: no volume {source}")
            found += [f"{name}: {target} is no path" for _ in [0] if not target.startswith("/")]
        found += [f"{name}: no secret {one}" for one in service.get("secrets", []) if one not in compose["secrets"]]
        found += [f"{name}: no network {one}" for one in service["networks"] if one not in compose["networks"]]
        found += [f"{name}: depends on no {one}" for one in service.get("depends_on", []) if one not in services]
        found += [f"{name}: {port} is open" for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or not service.get("security_opt"):
            found.append(f"{name}: has rights that it does not need")
        if not service.get("mem_limit") or service.get("memswap_limit") != service["mem_limit"]:
            found.append(f"{name}: its memory has no bound")
        if not service.get("pids_limit") or "max-size" not in service["logging"]["options"]:
            found.append(f"{name}: its processes or logs have no bound")
    return found


def _pinned(image: str) -> bool:
    return re.fullmatch(r"[^:@]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", image) is not None


def _plain(text: str) -> str:
    """With the defaults of variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_it_holds_together() -> None:
    assert faults(COMPOSE) == []


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A mistake: another value at a path, or none."""

    def plant(compose: dict[str, Any]) -> None:
        *folders, last = path.split("/")
        place = compose
        for folder in folders:
            place = place[folder]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return plant


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (change("services/policy/image", "rllib-citylearn-serve:latest"), "no full version"),
        (change("services/grafana/image", "docker.io/grafana/grafana"), "no full version"),
        (change("services/policy/volumes", ["./polcy:/etc/citylearn:ro"]), "is not there"),
        (change("services/policy/volumes", ["./policy:/etc/citylearn"]), "can be written to"),
        (change("volumes/grafana", None), "no volume grafana"),
        (change("secrets/grafana_password", None), "no secret grafana_password"),
        (change("networks/metrics", None), "no network metrics"),
        (change("services/prometheus", None), "depends on no prometheus"),
        (change("services/policy/ports", ["8000:8000"]), "is open"),
        (change("services/policy/read_only", False), "rights that it does not need"),
        (change("services/prometheus/cap_drop", []), "rights that it does not need"),
        (change("services/grafana/mem_limit", None), "memory has no bound"),
        (change("services/grafana/memswap_limit", "1g"), "memory has no bound"),
        (change("services/policy/pids_limit", None), "no bound"),
        (change("services/policy/memlimit", "2g"), "memlimit is unknown"),
    ],
)
def test_mistakes_are_found(plant: Callable[[dict[str, Any]], None], said: str) -> None:
    compose = copy.deepcopy(COMPOSE)
    plant(compose)
    assert any(said in fault for fault in faults(compose)), faults(compose)


def test_the_server_is_the_projects_version_and_its_settings_can_be_used() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    policy = COMPOSE["services"]["policy"]
    assert policy["image"] == f"rllib-citylearn-serve:{version}"
    targets = {_plain(mount).split(":")[1]: FOLDER / _plain(mount).split(":")[0] for mount in policy["volumes"]}
    file = Path(policy["command"][policy["command"].index("--settings") + 1])
    read = settings(yaml.safe_load((targets[str(file.parent)] / file.name).read_text()))
    served = read.served["default"]
    assert served.versions[served.serving] in targets
    assert read.tokens is not None
    assert str(Path(read.tokens).parent) in targets, "mounted as a folder: a file that takes its place has to be seen"
    assert (FOLDER / policy["build"]["context"] / policy["build"]["dockerfile"]).is_file()


def test_the_servers_command_is_one() -> None:
    from rllib_citylearn.cli.main import build_parser

    args = build_parser().parse_args(COMPOSE["services"]["policy"]["command"])
    assert (args.command, args.host, args.port) == ("serve", "0.0.0.0", 8000)


def test_prometheus_scrapes_the_server_and_grafana_asks_prometheus() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    targets = {one["job_name"]: one["static_configs"][0]["targets"] for one in scraped}
    host, port = targets["policy"][0].split(":")
    services = COMPOSE["services"]
    assert port == services[host]["ports"][0].split(":")[-1]
    (source,) = yaml.safe_load((FOLDER / "grafana" / "datasources.yml").read_text())["datasources"]
    assert source["url"].removeprefix("http://").split(":")[0] in services
    (provider,) = yaml.safe_load((FOLDER / "grafana" / "dashboards.yml").read_text())["providers"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    (dashboard,) = [here for here, there in mounts.items() if Path(there).parent == Path(provider["options"]["path"])]
    assert json.loads((FOLDER / dashboard).read_text())["panels"]
    shared = set(services["policy"]["networks"]) & set(services["prometheus"]["networks"])
    assert shared & set(services["grafana"]["networks"])


def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")

    def check(file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["promtool", "check", "config", str(file)], capture_output=True, text=True, timeout=60)

    assert check(FOLDER / "prometheus.yml").returncode == 0
    wrong = tmp_path / "prometheus.yml"
    wrong.write_text((FOLDER / "prometheus.yml").read_text().replace("scrape_timeout: 10s", "scrape_timeout: 20s"))
    assert "scrape timeout greater than scrape interval" in check(wrong).stderr
