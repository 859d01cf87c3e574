"""What `rllib-citylearn serve` refuses before it starts anything, in a sentence."""

from __future__ import annotations

import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from rllib_citylearn.cli.main import main
from rllib_citylearn.errors import UserError
from serve import launch
from tests.bundles import write_small_bundle

CONFIG = "applications: [{name: policy, import_path: 'serve.app:build_app', args: {bundle: /b}}]"


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    write_small_bundle(tmp_path / "bundle")
    return str(tmp_path / "bundle")


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
def test_ports_that_there_are_none_of(bundle: str, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", bundle, "--port", port]) == 2
    assert f"--port is {port}; give a number from 1 to 65535" in capsys.readouterr().err


def test_hosts_that_there_are_none_of(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", bundle, "--host", "x" * 70]) == 2
    assert "give other values for --host or --port" in capsys.readouterr().err


@pytest.mark.parametrize("replicas", ["0", "0-0", "3-1", "-1", "51", "two", "1-", ""])
def test_replicas_that_make_no_sense(bundle: str, replicas: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", bundle, f"--replicas={replicas}"]) == 2
    assert "give a number from 1 to 50, or two, such as 1-3 or 0-3" in capsys.readouterr().err


def test_a_serve_config_file_is_no_file_of_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    assert main(["serve", "--settings", str(file)]) == 2
    assert f"is a Serve config file; deploy it on a Ray cluster by `serve deploy {file}`" in capsys.readouterr().err


def test_a_check_serves_nothing(bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", bundle, "--check", str(tmp_path / "settings.yaml")]) == 2
    assert "--check takes one file of settings and serves nothing" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["a: 2026-02-30", "[" * 3000, "a: !!bool b", "a: !!int b", "- 1"])
def test_files_that_hold_no_settings(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    for option in ("--settings", "--check"):
        assert main(["serve", option, str(file)]) == 2
        assert str(file) in capsys.readouterr().err


def test_a_check_says_how_far_a_canary_is_from_the_version_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rllib_citylearn.export import PolicyRuntime, read_bundle

    for name, bias in (("old", 0.0), ("new", 0.7)):
        write_small_bundle(tmp_path / name, name=name, bias=bias)
    runtime = PolicyRuntime(read_bundle(tmp_path / "old"))
    (tmp_path / "recorded.jsonl").write_text(f'{{"observations": {runtime.example()}}}')
    settings = tmp_path / "settings.yaml"
    lines = [
        "communities: {district: {",
        f"  versions: {{old: {tmp_path}/old, new: {tmp_path}/new}}, serving: old, canary: {{version: new, share: 0.1}},",
        f"  recorded: {tmp_path}/recorded.jsonl, largest_change: LARGEST }}}}",
    ]
    settings.write_text("\n".join(lines).replace("LARGEST", "1.0"))
    assert main(["serve", "--check", str(settings)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "district: version old (old, 3 buildings) serves"
    assert "district: version new (new, 3 buildings) answers 10%; its actions differ by " in said[1]
    settings.write_text("\n".join(lines).replace("LARGEST", "0.001"))
    assert main(["serve", "--check", str(settings)]) == 2
    assert "Version new of district acts otherwise than version old by " in capsys.readouterr().err


def test_servers_take_other_ports_than_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = 5 + launch.REPLICA_PORTS
    monkeypatch.setattr(launch, "_PORTS", range(20_000, 20_000 + 3 * wide + 1))
    with ExitStack() as stranger, ExitStack() as servers:
        stranger.enter_context(socket.socket()).bind(("127.0.0.1", 20_000 + wide + 50))
        taken = {launch._take_ports(servers) for _ in range(2)}
        assert taken == {20_001, 20_001 + 2 * wide}
        with pytest.raises(UserError, match=f"no {wide} ports in a row from 20000 to"):
            launch._take_ports(servers)
        servers.close()
        assert launch._take_ports(servers) in taken


def test_ports_of_services_are_no_replicas(tmp_path: Path) -> None:
    environment = launch.haproxy_environment(tmp_path, 25_000)
    least, most = (int(environment[f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT"]) for end in ("MIN", "MAX"))
    services = {int(value) for name, value in environment.items() if name.endswith("_PORT") and "INGRESS" not in name}
    assert services == set(range(25_000, least))
    assert most - least + 1 == launch.REPLICA_PORTS


def test_a_program_that_the_environment_names_stands_for_haproxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an image, where nothing may run from the folder of temporary files."""
    monkeypatch.delenv("RAY_SERVE_HAPROXY_BINARY_PATH", raising=False)
    written = Path(launch.haproxy_environment(tmp_path, 25_000)["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert written.parent == tmp_path
    written.unlink()
    monkeypatch.setenv("RAY_SERVE_HAPROXY_BINARY_PATH", "/opt/haproxy")
    assert launch.haproxy_environment(tmp_path, 25_000)["RAY_SERVE_HAPROXY_BINARY_PATH"] == "/opt/haproxy"
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_for_temporary_files_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="mount an empty one at /tmp"):
        launch._folder()
