"""What all commands have in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rllib_citylearn.cli import doctor
from rllib_citylearn.cli.main import main
from tests.bundles import write_small_bundle


def test_a_reader_who_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "small")
    command = [sys.executable, "-m", "rllib_citylearn.cli.main", "bundle", "show", str(tmp_path / "small"), "--json", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")


@pytest.mark.parametrize("missing", ["gymnasium", "torch.nn"])
def test_a_package_that_an_image_is_without_is_said(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_args: object) -> int:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(doctor, "run", run)
    assert main(["doctor"]) == 2
    assert f"{missing} is not installed here" in capsys.readouterr().err


def test_a_module_of_our_own_that_is_missing_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_args: object) -> int:
        raise ModuleNotFoundError("No module named 'serve.gone'", name="serve.gone")

    monkeypatch.setattr(doctor, "run", run)
    with pytest.raises(ModuleNotFoundError):
        main(["doctor"])
