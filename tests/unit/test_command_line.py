"""What all commands have in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
