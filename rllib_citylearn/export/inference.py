"""A bundle's networks at work: encoded observations in, joint actions and hints out, with buildings that may be silent.

A silent building is left out of the networks' sight, which is what absence is in training: shared networks run on the rows
of the others alone. Separate actors have a number of buildings of their own; theirs run on all rows, with hints that came
from the others alone.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import onnxruntime

from rllib_citylearn.errors import BundleError
from rllib_citylearn.export.bundle import Bundle, buildings_of, open_model

Singles = npt.NDArray[np.float32]
Present = npt.NDArray[np.bool_]


class Inference:
    """Runs a bundle's networks, for one thread at a time.

    Args:
        bundle: from ``read_bundle``.

    Attributes:
        buildings: the number N that separate actors are made for; None if any will do.
        hint_size: H, numbers in a hint; 0 without a coordinator.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._models = bundle.models
        self._actions = len(bundle.manifest.community.actions)
        self.hint_size = bundle.manifest.hint_size
        self._policy = open_model(bundle.models["policy"], "policy.onnx")
        self.buildings = buildings_of(self._policy)

    @cached_property
    def _actor(self) -> onnxruntime.InferenceSession:
        return open_model(self._models["actor"], "actor.onnx")

    @cached_property
    def _coordinator(self) -> onnxruntime.InferenceSession:
        return open_model(self._models["coordinator"], "coordinator.onnx")

    def policy(self, observations: Singles, present: Present | None = None) -> Singles:
        """Joint actions ``[B, N, A]`` from encoded observations ``[B, N, D]``; zero for buildings that are not ``present``.

        Raises:
            BundleError: the networks do not run, or give what is no number.
        """
        if present is None or present.all():
            return self._run(self._policy, "policy", "actions", observations=observations)
        actions = np.zeros((*present.shape, self._actions), np.float32)
        for heard, rows in _alike(present):
            if self.buildings is None:
                actions[np.ix_(rows, heard)] = self.policy(observations[np.ix_(rows, heard)])
            else:
                seen = np.zeros_like(observations[rows])
                seen[:, heard] = observations[np.ix_(rows, heard)]
                hints = self.hints(observations[rows], present[rows])
                actions[np.ix_(rows, heard)] = self.actor(seen, hints)[:, heard]
        return actions

    def hints(self, observations: Singles, present: Present | None = None) -> Singles:
        """Hints ``[B, N, H]`` from encoded observations ``[B, N, D]``; zero for buildings that are not ``present``."""
        hints = np.zeros((*observations.shape[:2], self.hint_size), np.float32)
        if not self.hint_size:
            return hints
        if present is None:
            present = np.ones(observations.shape[:2], bool)
        for heard, rows in _alike(present):
            seen = observations[np.ix_(rows, heard)]
            if buildings_of(self._coordinator) not in (None, len(heard)):
                # Bundles of 0.1 with separate actors: their coordinator takes all buildings or none.
                seen, heard = observations[rows] * present[rows][..., None], np.arange(observations.shape[1])
            hints[np.ix_(rows, heard)] = self._run(self._coordinator, "coordinator", "hints", observations=seen)
        return hints * present[..., None]

    def actor(self, observations: Singles, hints: Singles) -> Singles:
        """Joint actions ``[B, N, A]`` from encoded observations ``[B, N, D]`` and hints ``[B, N, H]``."""
        inputs = {"observations": observations} | ({"hints": hints} if self.hint_size else {})
        return self._run(self._actor, "actor", "actions", **inputs)

    @staticmethod
    def _run(session: onnxruntime.InferenceSession, model: str, output: str, **inputs: Singles) -> Singles:
        try:
            (result,) = session.run([output], inputs)
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise BundleError(f"{model}.onnx does not run ({error}). Export the bundle again.") from error
        if not np.isfinite(result).all():
            raise BundleError(f"{model}.onnx gives {output} that are not finite numbers. Export a policy that trained well.")
        values: Singles = result
        return values


def _alike(present: Present) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Rows of ``present`` ``[B, N]`` in which the same buildings are there: those buildings, and the rows."""
    kinds, of = np.unique(present, axis=0, return_inverse=True)
    return [(np.flatnonzero(kind), np.flatnonzero(of.ravel() == k)) for k, kind in enumerate(kinds) if kind.any()]
