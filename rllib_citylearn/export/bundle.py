"""The policy bundle: a folder that holds a trained policy and everything needed to run it.

===================  ====================================================================================
``manifest.json``    format, name, creation time, the community's feature table, training record, KPIs
``actor.onnx``       ``observations [B, N, D]``, ``hints [B, N, H]`` -> ``actions [B, N, A]`` in [-1, 1]
``coordinator.onnx`` ``observations [B, N, D]`` -> ``hints [B, N, H]``
``policy.onnx``      both joined: ``observations [B, N, D]`` -> ``actions [B, N, A]``
``SHA256SUMS``       SHA-256 of every other file, in the format of ``sha256sum -c``
===================  ====================================================================================

B (batch) and N (buildings) are free, but for separate actors, which have their own N; D, H and A are the manifest's. A
policy without coordinator has a ``hint_size`` of 0, no ``coordinator.onnx``, and an actor that takes no hints. All tensors
are float32. Observations are encoded on the joint grid (``CommunityFeatures.encode``; ``Memory.write`` fills the memory
features that the manifest may list).
Nothing in a bundle is pickled: reading one runs none of its content as Python. The checksums find damage and edits by
mistake; they don't prove who wrote the bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from rllib_citylearn.checks import is_scalar
from rllib_citylearn.errors import BundleError
from rllib_citylearn.export.manifest import MANIFEST, Manifest
from rllib_citylearn.files import new_directory, write_bytes, write_json, write_text

CHECKSUMS = "SHA256SUMS"
MODELS = ("actor", "coordinator", "policy")

_EXPORT_AGAIN = "Copy the bundle again from where it was written, or export it again."


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and found whole.

    Attributes:
        manifest: its description.
        models: the ONNX files' bytes, exactly those whose checksums were compared, by name (``models_of``).
        sha256: SHA-256 of ``SHA256SUMS``, which identifies the content of the whole bundle.
    """

    manifest: Manifest
    models: Mapping[str, bytes]
    sha256: str


def models_of(hint_size: int) -> tuple[str, ...]:
    """Names of the models of a bundle; without hints there is no coordinator."""
    return tuple(model for model in MODELS if hint_size or model != "coordinator")


def write_bundle(path: Path, *, manifest: Manifest, models: Mapping[str, bytes]) -> Bundle:
    """Write a bundle, check it as a reader would, and only then put it in place.

    Args:
        path: the folder to make. A bundle that is there already is replaced; anything else is left alone.
        manifest: its description.
        models: serialised ONNX models by the names of ``models_of``.

    Raises:
        BundleError: ``path`` holds something else, a model breaks its contract, or ``policy`` gives other actions than
            ``coordinator`` and ``actor`` one after the other.
    """
    expected = models_of(manifest.hint_size)
    if set(models) != set(expected):
        raise BundleError(
            f"The models {sorted(models)} were given; a bundle with hint_size {manifest.hint_size} consists of "
            f"{', '.join(expected)}."
        )
    if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not (path / MANIFEST).is_file())):
        raise BundleError(f"{path} exists and is not a policy bundle; name a new folder, so that nothing is overwritten.")
    with new_directory(path) as folder:
        write_json(folder / MANIFEST, manifest.to_dict())
        for model in expected:
            write_bytes(folder / f"{model}.onnx", models[model])
        files = (MANIFEST, *(f"{model}.onnx" for model in expected))
        write_text(folder / CHECKSUMS, _checksum_lines({name: (folder / name).read_bytes() for name in files}))
        bundle = read_bundle(folder)
        _require_same_actions(bundle)
    return bundle


def read_bundle(path: Path | str) -> Bundle:
    """Read a bundle and verify all of it: its files, their checksums, the manifest and the models' contracts.

    Raises:
        BundleError: a file is missing, too many, damaged or edited, of another format version, or does not fit the
            manifest; or may not be read. The message names the file and says what to do.
    """
    path = Path(path)
    try:
        return _read_bundle(path)
    except OSError as error:
        raise BundleError(
            f"The bundle {path} can't be read ({error}). Let the user that this runs as read the folder and all files in it."
        ) from error


def _read_bundle(path: Path) -> Bundle:
    if not path.is_dir():
        raise BundleError(f"There is no bundle at {path}: it is not a folder. Name the folder that holds {MANIFEST}.")
    if not (path / MANIFEST).exists() and (path / "bundle" / MANIFEST).is_file():
        raise BundleError(f"{path} is the folder of a run, not a bundle; name {path / 'bundle'}.")
    present = {entry.name for entry in path.iterdir()}
    files = _files(path)
    for name in (*files, CHECKSUMS):
        if not (path / name).is_file():
            raise BundleError(f"The bundle {path} has no file {name}. {_EXPORT_AGAIN}")
    extra = sorted(present - {*files, CHECKSUMS})
    if extra:
        raise BundleError(f"The bundle {path} contains {', '.join(extra)}, which is not part of it. Move it elsewhere.")
    contents = {name: (path / name).read_bytes() for name in files}
    checksums = (path / CHECKSUMS).read_bytes()
    _require_checksums(path, contents, checksums)
    try:
        content = json.loads(contents[MANIFEST])
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} in {path} is not valid JSON ({error}). {_EXPORT_AGAIN}") from error
    manifest = Manifest.from_dict(content)
    models = {model: contents[f"{model}.onnx"] for model in models_of(manifest.hint_size)}
    for model, data in models.items():
        _require_contract(model, open_model(data, f"{model}.onnx"), manifest)
    return Bundle(manifest, models, hashlib.sha256(checksums).hexdigest())


def buildings_of(session: onnxruntime.InferenceSession) -> int | None:
    """The number of buildings that a model is made for; None if any will do."""
    size = session.get_inputs()[0].shape[1]
    return size if isinstance(size, int) else None


def open_model(data: bytes, file: str) -> onnxruntime.InferenceSession:
    """An ONNX session that computes in the calling thread only.

    One thread, because a server's replicas are scaled by number, and threads that wait for each other on a shared core
    cost far more than they bring for networks this small.

    Args:
        data: the serialised model.
        file: its name, for the message of an error.

    Raises:
        BundleError: the model can't be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise BundleError(f"{file} is not a model that onnxruntime can load ({error}). Export the bundle again.") from error


def _files(path: Path) -> tuple[str, ...]:
    """Files that the bundle must have beside the checksums. A manifest that can't be read is refused later, by name."""
    try:
        content = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        content = None
    hint_size = content.get("hint_size") if isinstance(content, dict) else None
    return (MANIFEST, *(f"{model}.onnx" for model in models_of(0 if is_scalar(hint_size, int) and hint_size == 0 else 1)))


def _checksum_lines(contents: Mapping[str, bytes]) -> str:
    return "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))


def _require_checksums(path: Path, contents: Mapping[str, bytes], checksums: bytes) -> None:
    """Compare with the one text that fits the files, so that not a single byte of either can differ unnoticed."""
    if checksums == _checksum_lines(contents).encode():
        return
    stated = {
        name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", checksums.decode(errors="replace"), re.M)
    }
    for name in contents:
        if name in stated and stated[name] != hashlib.sha256(contents[name]).hexdigest():
            raise BundleError(f"{name} in {path} does not match its checksum in {CHECKSUMS}. {_EXPORT_AGAIN}")
    raise BundleError(
        f"{CHECKSUMS} in {path} is damaged: it must hold one line for each of {', '.join(sorted(contents))}, as sha256sum "
        f"prints it. {_EXPORT_AGAIN}"
    )


def _require_contract(model: str, session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
    """The model's inputs and outputs have the names, types and sizes of the format; the batch is free, buildings mostly."""
    sizes = {
        "observations": len(manifest.community.columns),
        "hints": manifest.hint_size,
        "actions": len(manifest.community.actions),
    }
    inputs, outputs = {
        "actor": (["observations", "hints"] if manifest.hint_size else ["observations"], ["actions"]),
        "coordinator": (["observations"], ["hints"]),
        "policy": (["observations"], ["actions"]),
    }[model]
    for kind, expected, nodes in (
        ("inputs", inputs, session.get_inputs()),
        ("outputs", outputs, session.get_outputs()),
    ):
        names = [node.name for node in nodes]
        if sorted(names) != sorted(expected):
            raise BundleError(
                f"{model}.onnx has the {kind} {', '.join(names)}; expected are {', '.join(expected)}. "
                "Export the bundle again."
            )
        for node in nodes:
            shape = list(node.shape)
            fits = len(shape) == 3 and not isinstance(shape[0], int) and shape[2] == sizes[node.name]
            fits = fits and (not isinstance(shape[1], int) or shape[1] == len(manifest.community.agents))
            if node.type != "tensor(float)" or not fits:
                raise BundleError(
                    f"{model}.onnx has {node.name} of type {node.type} and shape {shape}; {MANIFEST} asks for float32 "
                    f"[batch, buildings, {sizes[node.name]}] with the batch free, and buildings free or "
                    f"{len(manifest.community.agents)}. Export the bundle again."
                )


def _require_same_actions(bundle: Bundle) -> None:
    """``policy`` is ``actor`` after ``coordinator``, also for a batch and a number of buildings never exported with."""
    sessions = {model: open_model(data, f"{model}.onnx") for model, data in bundle.models.items()}
    community = bundle.manifest.community
    shape = (2, buildings_of(sessions["policy"]) or len(community.agents) + 1, len(community.columns))
    observations = np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)
    try:
        inputs = {"observations": observations}
        if "coordinator" in sessions:
            (inputs["hints"],) = sessions["coordinator"].run(["hints"], {"observations": observations})
        (apart,) = sessions["actor"].run(["actions"], inputs)
        (joined,) = sessions["policy"].run(["actions"], {"observations": observations})
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise BundleError(f"The models do not run on observations of shape {shape} ({error}). Export them again.") from error
    if joined.shape != apart.shape or not np.allclose(joined, apart, atol=1e-4, rtol=0.0):
        raise BundleError(
            "policy.onnx gives other actions than coordinator.onnx and actor.onnx one after the other; export all "
            "of them from the same weights."
        )
    if not np.all(np.abs(joined) <= 1.0 + 1e-6):
        raise BundleError("policy.onnx gives actions outside [-1, 1]; end the actor with a bounded function, such as tanh.")
