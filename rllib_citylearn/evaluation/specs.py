"""What to evaluate, as small values that can be sent to another process and make the controller there."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from rllib_citylearn.baselines import BASELINES, Controller, make_baseline
from rllib_citylearn.baselines.learned import LEARNED
from rllib_citylearn.baselines.learned.record import RECORD, read_record
from rllib_citylearn.baselines.learned.spec import LearnedSpec
from rllib_citylearn.errors import BundleError, ConfigError


class ControllerSpec(Protocol):
    """How to make a controller; it can be pickled, the controller need not be."""

    @property
    def name(self) -> str:
        """What tables and figures call the controller."""
        ...

    def make(self) -> Controller:
        """A controller of one's own."""
        ...


@dataclass(frozen=True)
class BaselineSpec:
    """A baseline by its name in ``BASELINES``."""

    name: str

    def make(self) -> Controller:
        """See ``ControllerSpec.make``."""
        return make_baseline(self.name)


@dataclass(frozen=True)
class BundleSpec:
    """A policy bundle by its folder.

    Attributes:
        path: the bundle's folder.
        label: what tables and figures call it; None takes the folder as it was given.
    """

    path: str
    label: str | None = None

    @property
    def name(self) -> str:
        """See ``ControllerSpec.name``."""
        return self.label or self.path

    def make(self) -> Controller:
        """See ``ControllerSpec.make``; the bundle is verified as it is read."""
        from rllib_citylearn.evaluation.bundle_controller import BundleController

        return BundleController(self.name, Path(self.path))


@dataclass(frozen=True)
class CheckpointSpec:
    """A checkpoint by its folder; it acts through the bundle that would be exported from it."""

    path: str

    @property
    def name(self) -> str:
        """See ``ControllerSpec.name``."""
        return self.path

    def make(self) -> Controller:
        """See ``ControllerSpec.make``; the checkpoint is verified as it is read."""
        from rllib_citylearn.evaluation.bundle_controller import BundleController
        from rllib_citylearn.export.checkpoint import export_checkpoint

        with TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle"
            export_checkpoint(Path(self.path), bundle)
            return BundleController(self.name, bundle)


def spec_for(text: str) -> ControllerSpec:
    """The spec of a baseline's name, or of the folder of a bundle, a checkpoint or a learnt baseline.

    Raises:
        BundleError: a path that holds neither bundle nor checkpoint.
        CheckpointError: a learnt baseline that is damaged.
        ConfigError: neither a baseline nor a path.
    """
    if text in BASELINES:
        return BaselineSpec(text)
    path = Path(text)
    if (path / "manifest.json").is_file():
        return BundleSpec(text)
    if (path / "rllib_checkpoint.json").is_file():
        return CheckpointSpec(text)
    if (path / RECORD).is_file():
        return LearnedSpec(read_record(path)["task"]["name"], text)
    if path.exists():
        raise BundleError(
            f"{text} is no policy bundle: it has no manifest.json, and no checkpoint either. Give a bundle's folder, as "
            "`rllib-citylearn export` writes it, a checkpoint's folder, or the name of a baseline."
        )
    if text in LEARNED:
        raise ConfigError(
            f"{text} has to be trained first. `rllib-citylearn compare {text}` and `evaluate {text}` do so; elsewhere give "
            "the folder that `train_learned` made."
        )
    nearest = get_close_matches(text, [*BASELINES, *LEARNED], n=1, cutoff=0.5)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ConfigError(
        f"{text!r} is neither a baseline ({', '.join(BASELINES)}) nor a learning baseline ({', '.join(LEARNED)}) nor the "
        f"folder of a bundle, checkpoint or training; give one of these.{guess}"
    )
