"""Places where runs can't be stored are refused at once, and those where they can look as before."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rllib_citylearn.cluster.storage import check_storage, storage_uri
from rllib_citylearn.errors import ConfigError


@pytest.mark.parametrize("place", ["there", "not/there/yet", "."])
@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_nothing_is_left_behind(tmp_path: Path, place: str, form: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "run").write_text("a run")
    check_storage(form.format(tmp_path / place))
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"there", "there/run"}


def test_paths_are_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage_uri("runs") == str(tmp_path / "runs")
    assert storage_uri("~/runs") == str(Path.home() / "runs")
    for uri in ("s3://bucket/runs", "gs://bucket", "file:///runs", "fsspec+abfs://runs"):
        assert storage_uri(uri) == uri


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("memory://runs", "in the memory of a single process"),
        ("fsspec+memory://runs", "in the memory of a single process"),
        ("mock:///runs", "in the memory of a single process"),
        ("nothing://runs", "Unrecognized filesystem type"),
        ("fsspec+s3://runs", "a package is missing"),
        ("/sys/runs", "not permitted|denied"),
        ("/proc/runs", "No such file"),
        ("/dev/null/runs", "Not a directory|exists"),
        ("s3://key:secret@bucket/runs?endpoint_override=127.0.0.1:1&scheme=http", "AWS Error NETWORK_CONNECTION|its time"),
    ],
)
def test_places_that_can_not_be_used_are_refused(uri: str, what: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError, match=rf"^Runs can't be stored in .*({what}).*\. (Give|Check) .*\.$"):
        check_storage(uri)
    assert time.monotonic() - begun < 30.0


def test_a_secret_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"stored in mock://\.\.\.@bucket/runs:"):
        check_storage("mock://key:secret@bucket/runs")
