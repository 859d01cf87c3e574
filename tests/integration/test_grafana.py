"""The Grafana dashboard against a real Prometheus that scrapes a real server: every query gives numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from serve.metrics import Metrics
from tests.bundles import observations, remembering, small_community, write_small_bundle
from tests.servers import free_port, wait_until_ready

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "serve" / "grafana.json").read_text())
QUERIES = {
    f"{panel['title']}, {target['refId']}": target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
}

_SERVER = (
    "import sys, uvicorn, yaml\n"
    "from pathlib import Path\n"
    "from serve.asgi import PolicyApp\n"
    "from serve.settings import settings\n"
    "app = PolicyApp()\n"
    "app.use(*app.prepare(settings(yaml.safe_load(Path(sys.argv[1]).read_text()))))\n"
    "app.refuse('for the test')\n"
    "uvicorn.run(app, host='127.0.0.1', port=int(sys.argv[2]), log_level='error')\n"
)


def test_the_file_is_what_its_script_writes() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import json; from docs.grafana import dashboard; print(json.dumps(dashboard()))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(made.stdout) == DASHBOARD


def test_every_metric_of_the_server_is_on_the_dashboard() -> None:
    names = {
        line.split()[2].removesuffix("_total")
        for line in Metrics().text().decode().splitlines()
        if line.startswith("# TYPE") and not line.split()[2].endswith("_created")
    }
    assert {name for name in names if not any(name in query for query in QUERIES.values())} == set()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus that has scraped a server for some seconds while everything happened that the dashboard shows."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    write_small_bundle(folder / "bundle", memory=True)
    write_small_bundle(folder / "canary", memory=True, bias=0.1)
    versions = {"v1": str(folder / "bundle"), "v2": str(folder / "canary")}
    district = {"versions": versions, "serving": "v1", "canary": {"version": "v2", "share": 0.5}}
    (folder / "settings.yaml").write_text(yaml.safe_dump({"communities": {"district": district}}))
    port, own = free_port(), free_port()
    scrape = {"job_name": "policies", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    configuration = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    commands = [
        [sys.executable, "-c", _SERVER, str(folder / "settings.yaml"), str(port)],
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{own}",
        ],
    ]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    try:
        wait_until_ready(started[0], port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            end = time.monotonic() + 12.0
            while time.monotonic() < end:
                use(client)
                time.sleep(0.1)
        with httpx.Client(base_url=f"http://127.0.0.1:{own}") as client:
            yield client
    finally:
        for process in started:
            process.terminate()
            process.wait(30)


def use(client: httpx.Client) -> None:
    """One of everything that is counted."""
    path = "/v1/communities/district/actions"
    rows: list[Any] = observations(remembering(small_community()), 0)
    rows[0][2] = 1e6
    state = client.post(path, json={"observations": rows}).json()["state"]
    client.post(path, json={"observations": [None, *rows[1:]], "state": state})
    client.post(path, json={"observations": [rows, rows]})
    own = client.post("/v1/communities/district/buildings/Building_1/action", json={"observation": rows[0]}).json()
    client.post(path, json={"observations": rows, "state": own["state"]})
    assert client.post(path, content=b"{").status_code == 400


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_gives_numbers(prometheus: httpx.Client, name: str) -> None:
    query = QUERIES[name].replace("$__rate_interval", "10s").replace("$community", ".*")
    answer = prometheus.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    values = [float(series["value"][1]) for series in answer["data"]["result"]]
    assert values, query
    assert all(value == value for value in values), "not a number"
    if name.partition(",")[0] not in ("In progress", "Refused configurations"):  # a count of one does not increase
        assert max(values) > 0


def test_the_list_of_communities_is_filled(prometheus: httpx.Client) -> None:
    (query,) = [one["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    metric, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
    answer = prometheus.get(f"/api/v1/label/{label}/values", params={"match[]": metric}).json()
    assert answer["data"] == ["district"]
