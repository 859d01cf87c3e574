"""A learnt baseline as something to evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.learned.record import read_record
from rllib_citylearn.baselines.learned.registry import learned
from rllib_citylearn.errors import CheckpointError


@dataclass(frozen=True)
class LearnedSpec:
    """A learning baseline by its name in ``LEARNED`` and the folder that ``train_learned`` made.

    Attributes:
        name: the baseline's name, by which tables and figures call it.
        folder: of the training.
    """

    name: str
    folder: str

    def make(self) -> Controller:
        """A controller of one's own, which acts without exploration; the folder is verified as it is read.

        Raises:
            ConfigError: there is no learning baseline of that name.
            CheckpointError: the folder holds none, another one, or a damaged one.
        """
        entry = learned(self.name)
        record = read_record(Path(self.folder))
        if record["task"]["name"] != self.name:
            raise CheckpointError(
                f"{self.folder} holds {record['task']['name']}, not {self.name}; name the folder that {self.name} was "
                "trained in."
            )
        return entry.family().load(self.name, Path(self.folder), record)
