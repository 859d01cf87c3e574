"""Checkpoints: written whole, checked before they are read, and turned into bundles.

A checkpoint is RLlib's own folder plus ``run.json`` (what was trained, on which data, by which versions) and ``SHA256SUMS``.
RLlib pickles parts of it, so load only checkpoints that you or your cluster made; what leaves that circle is the bundle.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.export.bundle import Bundle, Manifest, write_bundle
from rllib_citylearn.files import new_directory, sha256, write_json, write_text

if TYPE_CHECKING:
    from rllib_citylearn.algorithm import CooperativeMADDPG
    from rllib_citylearn.modules.community_module import CommunityRLModule

RUN = "run.json"
CHECKSUMS = "SHA256SUMS"
_RECORD = Path("trained_on") / "state.pkl"
_MODULE = Path("learner_group") / "learner" / "rl_module" / COMMUNITY


def save_checkpoint(algorithm: CooperativeMADDPG, path: Path, run: Mapping[str, Any], *, replay: bool = True) -> None:
    """Write the whole state of ``algorithm`` to ``path``; an earlier checkpoint there stays until the new one is whole.

    Args:
        algorithm: what to save.
        path: the folder to make or replace.
        run: JSON-ready description of the run, which goes into every bundle made of it.
        replay: whether somebody may learn on from it; policies to keep need no replay, which is nearly all of the size.
    """
    with new_directory(path) as folder:
        algorithm.saves_replay = replay
        try:
            algorithm.save_to_path(str(folder.resolve()))
        finally:
            algorithm.saves_replay = True
        write_json(folder / RUN, run)
        write_text(folder / CHECKSUMS, _checksum_lines(folder))


def verify_checkpoint(path: Path) -> None:
    """Compare every file of a checkpoint with its checksum.

    Checkpoints that Tune or RLlib wrote have no checksums; there is nothing to compare then.

    Raises:
        CheckpointError: no checkpoint, or a file that is missing or changed, named.
    """
    if not (path / "rllib_checkpoint.json").is_file() and not (path / "algorithm_state.pkl").is_file():
        raise CheckpointError(f"There is no checkpoint at {path}; give the folder that training printed.")
    if not (path / CHECKSUMS).is_file():
        if (path / RUN).is_file():
            raise CheckpointError(f"The checkpoint {path} has lost its {CHECKSUMS}; copy it again from where it was made.")
        return
    stated = (path / CHECKSUMS).read_text(errors="replace")
    actual = _checksum_lines(path)
    if stated == actual:
        return
    wrong = sorted(_names(stated.splitlines()) ^ _names(actual.splitlines()))
    changed = sorted(line.partition("  ")[2] for line in set(actual.splitlines()) - set(stated.splitlines()))
    culprits = wrong or changed or [CHECKSUMS]
    raise CheckpointError(
        f"{', '.join(culprits[:3])} in the checkpoint {path} does not fit its {CHECKSUMS}: something is missing, was added, "
        "cut short or edited. Copy the checkpoint again from where it was made."
    )


def _checksum_lines(folder: Path) -> str:
    """The one text of ``SHA256SUMS`` that fits the folder, as ``sha256sum`` prints it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.relative_to(folder) != Path(CHECKSUMS))
    return "".join(f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)


def _names(lines: Iterable[str]) -> set[str]:
    return {line.partition("  ")[2] for line in lines}


def load_module(path: Path) -> CommunityRLModule:
    """The trained module of a checkpoint, on the CPU.

    Raises:
        CheckpointError: the checkpoint is damaged or of another algorithm.
    """
    verify_checkpoint(path)
    folder = path / _MODULE
    if not folder.is_dir():
        raise CheckpointError(f"The checkpoint {path} holds no cooperative MADDPG policy; give one that `train` wrote.")
    from rllib_citylearn.modules.community_module import CommunityRLModule

    try:
        module = CommunityRLModule.from_checkpoint(str(folder.resolve()))
    except Exception as error:  # unpickling can fail in any way
        raise CheckpointError(f"The checkpoint {path} can't be read ({error!r}); it may be damaged.") from error
    if not isinstance(module, CommunityRLModule):
        raise CheckpointError(f"The checkpoint {path} holds a {type(module).__name__}, not a CommunityRLModule.")
    return module


def read_run(path: Path) -> dict[str, Any]:
    """The description of the run that wrote a checkpoint; empty for checkpoints of RLlib or Tune."""
    file = path / RUN
    if not file.is_file():
        return {}
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def read_record(path: Path) -> Mapping[str, Any] | None:
    """Whom a checkpoint was trained on (``algorithm.community_record``); None in checkpoints that don't say."""
    if not (path / _RECORD).is_file():
        return None
    try:
        record: Mapping[str, Any] = pickle.loads((path / _RECORD).read_bytes())["agents"]
    except Exception as error:  # unpickling can fail in any way
        raise CheckpointError(f"The checkpoint {path} can't be read ({error!r}); it may be damaged.") from error
    return record


def export_checkpoint(
    checkpoint: Path, bundle: Path, *, name: str | None = None, kpis: Mapping[str, float | None] | None = None
) -> Bundle:
    """Turn a checkpoint into a policy bundle.

    Args:
        checkpoint: folder of the checkpoint.
        bundle: folder to make; an earlier bundle there is replaced.
        name: the policy's name; None takes the run's.
        kpis: what the policy reached in evaluation, by name.

    Raises:
        CheckpointError: the checkpoint can't be used.
        BundleError: ``bundle`` holds something else.
    """
    from rllib_citylearn.export.onnx_export import onnx_models

    module = load_module(checkpoint)
    community = module.layout.community
    if community is None:
        raise CheckpointError(
            f"The policy in {checkpoint} was trained on an environment without a feature table; only policies of "
            "CityLearnMultiAgentEnv can be exported."
        )
    run = read_run(checkpoint)
    manifest = Manifest(
        name=name or run.get("name") or checkpoint.resolve().parent.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        community=community,
        hint_size=module.acting.hint_size,
        training=run,
        kpis=dict(kpis or {}),
    )
    return write_bundle(bundle, manifest=manifest, models=onnx_models(module.acting, len(community.columns)))
