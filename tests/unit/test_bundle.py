"""A bundle is read whole or refused with the name of the file that is at fault."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.errors import BundleError
from rllib_citylearn.export import read_bundle, write_bundle
from tests.bundles import small_community, small_manifest, small_models, write_small_bundle

FILES = ("SHA256SUMS", "actor.onnx", "coordinator.onnx", "manifest.json", "policy.onnx")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "whole"
    write_small_bundle(path)
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "bundle"))


def edit_manifest(path: Path, **changes: Any) -> None:
    """Change the manifest as someone would who also mends the checksums."""
    edit_manifest_of(path, **changes)
    mend_checksums(path)


def edit_manifest_of(path: Path, **changes: Any) -> None:
    """Change the manifest and leave the checksums as they are."""
    manifest = path / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changes}))


def mend_checksums(path: Path) -> None:
    names = [name for name in FILES if name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256((path / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (path / "SHA256SUMS").write_text("".join(lines))


def test_a_text_is_a_path_too(whole: Path) -> None:
    assert read_bundle(str(whole)).sha256 == read_bundle(whole).sha256


def test_the_folder_of_a_run_is_told_from_its_bundle(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run" / "bundle")
    with pytest.raises(BundleError, match=r"is the folder of a run, not a bundle; name .*run/bundle\."):
        read_bundle(tmp_path / "run")


def test_a_file_that_may_not_be_read_is_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is played."""
    read = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == "actor.onnx":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    with pytest.raises(
        BundleError, match=r"can't be read \(.*actor.onnx'\)\. Let the user that this runs as read the folder"
    ):
        read_bundle(copy)


def test_what_is_read_is_what_was_written(whole: Path) -> None:
    community = small_community()
    bundle = read_bundle(whole)
    assert bundle.manifest.to_dict() == small_manifest(community).to_dict()
    assert bundle.manifest.community.agents == community.agents
    assert bundle.manifest.community.ranges.items() >= community.ranges.items()
    assert bundle.models == small_models(community)
    assert sorted(entry.name for entry in whole.iterdir()) == sorted(FILES)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_checksums_are_in_the_format_of_sha256sum(whole: Path) -> None:
    result = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=whole, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(": OK") == len(FILES) - 1


def test_identity_follows_the_content(whole: Path, tmp_path: Path) -> None:
    again, other = write_small_bundle(tmp_path / "again"), write_small_bundle(tmp_path / "other", bias=0.1)
    assert again.sha256 == read_bundle(whole).sha256 != other.sha256


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_refused(copy: Path, name: str) -> None:
    original = (copy / name).read_bytes()
    places = range(0, len(original), 1 if name == "SHA256SUMS" else max(1, len(original) // 40))
    for place in places:
        for bit in (0, 5):  # bit 5 turns lower case into upper case and a space into a null byte
            changed = bytearray(original)
            changed[place] ^= 1 << bit
            (copy / name).write_bytes(bytes(changed))
            with pytest.raises(BundleError, match=name.replace(".", r"\.")):
                read_bundle(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 0.5, -1])
def test_a_truncated_file_is_refused(copy: Path, name: str, keep: float) -> None:
    original = (copy / name).read_bytes()
    (copy / name).write_bytes(original[: -1 if keep == -1 else int(keep * len(original))])
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        read_bundle(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=rf"no file {name}"):
        read_bundle(copy)


@pytest.mark.parametrize("name", ["weights.pkl", ".hidden", "actor.onnx.data"])
def test_an_extra_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).write_bytes(b"")
    with pytest.raises(BundleError, match=name):
        read_bundle(copy)


def test_an_extra_line_of_checksums_is_refused(copy: Path) -> None:
    with (copy / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  other\n")
    with pytest.raises(BundleError, match="SHA256SUMS"):
        read_bundle(copy)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        read_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_another_format_version_is_refused(copy: Path, version: Any) -> None:
    edit_manifest(copy, format_version=version)
    with pytest.raises(BundleError, match=r"manifest\.json has the format version"):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format": "other"}, "format"),
        ({"name": ""}, "name"),
        ({"name": 3}, "name"),
        ({"created": "yesterday"}, "created"),
        ({"created": "2026-01-31T12:00:00+02:00"}, "created"),
        ({"created": "2026-01-31T12:00:00"}, "created"),
        ({"hint_size": -1}, "hint_size"),
        ({"hint_size": False}, "hint_size"),
        ({"hint_size": 0}, r"contains coordinator\.onnx"),
        ({"hint_size": 2.5}, "hint_size"),
        ({"hint_size": 4}, r"hints"),
        ({"training": []}, "training"),
        ({"kpis": {"cost_total": "low"}}, "cost_total"),
        ({"kpis": {"cost_total": True}}, "cost_total"),
        ({"kpis": []}, "kpis"),
        ({"community": {}}, "community"),
        ({"community": None}, "community"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_of_other_content_is_refused(copy: Path, changes: dict[str, Any], named: str) -> None:
    edit_manifest(copy, **changes)
    with pytest.raises(BundleError, match=named):
        read_bundle(copy)


def test_a_manifest_without_a_key_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    for key in manifest:
        rest = {name: value for name, value in manifest.items() if name != key}
        (copy / "manifest.json").write_text(json.dumps(rest))
        mend_checksums(copy)
        with pytest.raises(BundleError, match="format version" if key == "format_version" else key):
            read_bundle(copy)


@pytest.mark.parametrize("text", ["", "[]", "3", '{"format": NaN', "\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_bytes(text.encode("latin-1"))
    mend_checksums(copy)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        read_bundle(copy)


@pytest.mark.parametrize("model", ["actor", "coordinator", "policy"])
def test_models_in_each_others_place_are_refused(copy: Path, model: str) -> None:
    other = {"actor": "policy", "coordinator": "actor", "policy": "coordinator"}[model]
    shutil.copy(copy / f"{other}.onnx", copy / f"{model}.onnx")
    mend_checksums(copy)
    with pytest.raises(BundleError, match=rf"{model}\.onnx has the (inputs|outputs)"):
        read_bundle(copy)


def test_models_of_another_community_are_refused(tmp_path: Path) -> None:
    community = small_community()
    fewer = type(community)(community.agents[:2], community.ranges)
    with pytest.raises(BundleError, match=r"actor\.onnx has observations .* shape"):
        write_bundle(tmp_path / "b", manifest=small_manifest(community), models=small_models(fewer))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x01"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    community = small_community()
    with pytest.raises(BundleError, match=r"policy\.onnx"):
        write_bundle(tmp_path / "b", manifest=small_manifest(community), models={**small_models(community), "policy": data})
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_is_not_actor_after_coordinator_is_refused(tmp_path: Path) -> None:
    community = small_community()
    models = {**small_models(community), "policy": small_models(community, bias=0.01)["policy"]}
    with pytest.raises(BundleError, match="same weights"):
        write_bundle(tmp_path / "b", manifest=small_manifest(community), models=models)


@pytest.mark.parametrize(("hints", "expected"), [(True, "actor, coordinator, policy"), (False, r"of actor, policy\.")])
def test_models_must_be_all_that_belong_to_the_hint_size(tmp_path: Path, hints: bool, expected: str) -> None:
    community = small_community()
    for models in ({"policy": small_models(community)["policy"]}, small_models(community, hints=not hints)):
        with pytest.raises(BundleError, match=expected):
            write_bundle(tmp_path / "b", manifest=small_manifest(community, hints=hints), models=models)


def test_a_bundle_without_hints_has_no_coordinator(tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_small_bundle(path, hints=False)
    assert {entry.name for entry in path.iterdir()} == {*FILES} - {"coordinator.onnx"}
    bundle = read_bundle(path)
    assert bundle.manifest.hint_size == 0
    assert set(bundle.models) == {"actor", "policy"}
    shutil.copy(path / "actor.onnx", path / "coordinator.onnx")
    with pytest.raises(BundleError, match=r"contains coordinator\.onnx, which is not part of it"):
        read_bundle(path)
    (path / "coordinator.onnx").unlink()
    edit_manifest_of(path, hint_size=3)
    with pytest.raises(BundleError, match=r"has no file coordinator\.onnx"):
        read_bundle(path)


def test_a_training_record_that_json_cannot_hold_is_refused() -> None:
    manifest = small_manifest(small_community())
    for value in (float("nan"), object(), (1, 2)):
        with pytest.raises(BundleError, match="training"):
            replace(manifest, training={"config": value})


def test_writing_replaces_a_bundle_and_nothing_else(copy: Path, tmp_path: Path) -> None:
    new = write_small_bundle(copy, name="newer")
    assert read_bundle(copy).sha256 == new.sha256
    assert new.manifest.name == "newer"
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="not a policy bundle"):
        write_small_bundle(notes)
    assert (notes / "thesis.txt").read_text() == "years of work"
    assert {entry.name for entry in tmp_path.iterdir()} == {"bundle", "notes"}


def test_reading_a_bundle_needs_neither_torch_nor_ray_nor_citylearn(whole: Path) -> None:
    code = (
        "import sys, pathlib, rllib_citylearn.export as e\n"
        "runtime = e.PolicyRuntime(e.read_bundle(pathlib.Path(sys.argv[1])))\n"
        "runtime.actions(runtime.example())\n"
        "print(sorted({'torch', 'ray', 'citylearn', 'gymnasium', 'numba', 'pickle5'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(whole)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_reading_a_bundle_writes_nothing_to_the_home_folder(whole: Path, tmp_path: Path) -> None:
    """onnxruntime's telemetry would: a device id and a data base of events to send."""
    code = (
        "import sys, pathlib, rllib_citylearn.export as e\n"
        "runtime = e.PolicyRuntime(e.read_bundle(pathlib.Path(sys.argv[1])))\n"
        "runtime.actions(runtime.example())\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment["HOME"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", code, str(whole)], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
