"""Joint replay: rows that hold the whole community at one time step.

A run of T hours is stored as T + 1 rows of observations; row t + 1 is the next observation of row t, so that nothing is
stored twice. A run's last row has no action and is never drawn as a start.

The first rows hold demonstrations, if there are any, for good; the rest is a ring in which new runs overwrite the oldest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ray.rllib.utils.checkpoints import Checkpointable

from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.algorithm.names import IMPORTANCE, IS_DEMONSTRATION
from rllib_citylearn.algorithm.replay.episodes import episode_fragment
from rllib_citylearn.algorithm.replay.joint_rows import ARRAYS, Batch, JointRows, Rows
from rllib_citylearn.algorithm.replay.pieces import pieces
from rllib_citylearn.algorithm.replay.priorities import Priorities
from rllib_citylearn.algorithm.replay.soundness import require_sound
from rllib_citylearn.errors import CheckpointError, ConfigError, TrainingError
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.modules.standardisation import column_moments, value_moments

_MEASURED_ROWS = 4096


class JointReplay(Checkpointable):
    """Replay of joint transitions, drawn uniformly or by priority.

    Args:
        capacity: number of rows kept, demonstrations included.
        layout: rows and columns of the joint arrays.
        seed: seed of the draws.
        states: numbers S of the engine's state that every row carries.
        action_masks: bool ``[N_c, A]`` of each of the run's communities; None is the one community of the layout. Buildings
            that a community lacks to the largest number N are rows of zeros.
        observation_masks: bool ``[N_c, D]`` of each of them; None where every building has every column.
        prioritised_alpha: how much priorities count, 0 to 1; None draws uniformly.

    Attributes:
        rows: the arrays.
        added: transitions added so far, without demonstrations.
        drawn: rows of the last batch, in its order; what ``update_priorities`` asks for.

    Raises:
        ConfigError: the machine's memory does not hold so many rows.
    """

    def __init__(
        self,
        capacity: int,
        layout: JointLayout,
        seed: int,
        *,
        states: int = 0,
        action_masks: Sequence[npt.NDArray[np.bool_]] | None = None,
        observation_masks: Sequence[npt.NDArray[np.bool_]] | None = None,
        prioritised_alpha: float | None = None,
    ) -> None:
        options = {
            "states": states,
            "action_masks": action_masks,
            "observation_masks": observation_masks,
            "prioritised_alpha": prioritised_alpha,
        }
        self._ctor: tuple[tuple[Any, ...], dict[str, Any]] = ((capacity, layout, seed), options)
        self.capacity = capacity
        self.layout = layout
        self._masks = [layout.action_mask] if action_masks is None else list(action_masks)
        self._padded = action_masks is not None
        self.rows = JointRows(
            capacity, layout.observation_mask.shape[1], states, self._masks, padded=action_masks is not None
        )
        self._columns_there = self.rows.present[..., None]
        if observation_masks is not None:
            self._columns_there = np.zeros((*self.rows.present.shape, layout.observation_mask.shape[1]), bool)
            for c, mask in enumerate(observation_masks):
                self._columns_there[c, : len(mask)] = mask
        self.added = 0
        self.drawn: Rows = np.empty(0, np.int64)
        self._priorities = None if prioritised_alpha is None else Priorities(capacity, prioritised_alpha)
        self._demonstrated: Rows = np.empty(0, np.int64)
        self._head = self._size = 0  # of the ring, counted from its start
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Number of transitions that can be drawn, without demonstrations."""
        return int(self.rows.startable[self.rows.ring_start :].sum())

    @property
    def transition_bytes(self) -> int:
        """Of memory that a drawn transition takes, observations before and after it above all."""
        arrays = (
            self.rows.observations,
            self.rows.observations,
            self.rows.actions,
            self.rows.building_rewards,
            self.rows.states,
        )
        return sum(array[:1].nbytes for array in arrays)

    @property
    def demonstrations(self) -> int:
        """Number of demonstrated transitions."""
        return len(self._demonstrated)

    def add(self, samples: Sequence[Any]) -> int:
        """Store what runners sampled; returns how many transitions there were.

        Args:
            samples: ``JointFragment`` and RLlib's multi-agent episodes, in any mixture.

        Raises:
            TrainingError: samples of another shape, or with numbers that are not finite.
        """
        before = self.added
        room = self.capacity - self.rows.ring_start
        for sample in samples:
            if not len(sample):
                continue
            fragment = self._sound(sample)
            for piece in pieces(fragment, room):
                steps, copies = piece.district_reward.shape
                rows = (self._head + np.arange(copies * (steps + 1))) % room + self.rows.ring_start
                self._write(piece, rows.reshape(copies, steps + 1))
                self._head = int(rows[-1] + 1 - self.rows.ring_start) % room
                self._size = min(self._size + len(rows), room)
            self.added += fragment.env_steps()
        return self.added - before

    def add_demonstrations(self, fragments: Sequence[JointFragment]) -> int:
        """Store demonstrations for good, before anything else is added; returns how many transitions there were.

        Raises:
            TrainingError: demonstrations of another shape, with numbers that are not finite, or that come too late.
            ConfigError: they leave less than half of the replay to the run's own experience.
        """
        if self.added:
            raise TrainingError(f"Demonstrations have to come first, but {self.added} transitions were added before them.")
        before = self.demonstrations
        sound = [self._sound(fragment) for fragment in fragments]
        needed = self.rows.ring_start + sum(
            fragment.observations.shape[0] * fragment.observations.shape[1] for fragment in sound
        )
        if 2 * needed > self.capacity:
            raise ConfigError(
                f"The demonstrations take {needed} of the replay's {self.capacity} rows; at least half have to be left for "
                f"the run's own experience. Set replay_capacity to at least {2 * needed}, or play fewer demonstrations."
            )
        for fragment in sound:
            steps, copies = fragment.district_reward.shape
            rows = self.rows.ring_start + np.arange(copies * (steps + 1))
            self.rows.write(fragment, rows.reshape(copies, steps + 1))
            self.rows.ring_start += len(rows)
        self._find_demonstrations()
        return self.demonstrations - before

    def _sound(self, sample: Any) -> JointFragment:
        fragment = sample if isinstance(sample, JointFragment) else episode_fragment(sample, self.layout)
        if not 0 <= fragment.community < len(self._masks):
            raise TrainingError(
                f"A fragment is of community {fragment.community}, but this run's replay keeps {len(self._masks)}, counted "
                "from 0."
            )
        n, a = self._masks[fragment.community].shape
        own = not self._padded and len(self.layout.agents) == n
        names = self.layout.agents if own else [f"building {i} of community {fragment.community}" for i in range(n)]
        require_sound(fragment, names, self.rows.observations.shape[2], a, self.rows.states.shape[1])
        return fragment

    def _write(self, fragment: JointFragment, rows: Rows) -> None:
        """Write E runs of T hours into ``rows`` ``[E, T + 1]`` of the ring."""
        self.rows.write(fragment, rows)
        if self._priorities is not None:
            written = rows.reshape(-1)
            self._priorities.enter(written, self.rows.startable[written])

    def sample(
        self,
        batch_size: int,
        n_step: int,
        gamma: float,
        *,
        minibatches: int = 1,
        demonstration_share: float = 0.0,
        beta: float = 1.0,
    ) -> Batch:
        """Draw transitions.

        Args:
            batch_size: number of transitions of a minibatch.
            n_step: rewards summed (discounted) before the value of the next observation; fewer at a run's end.
            gamma: discount a step.
            minibatches: how many are drawn at once; they stand one behind the other in the batch of B rows.
            demonstration_share: how much of every minibatch are demonstrations, 0 to 1.
            beta: exponent of the importance weights, 0 to 1 (``annealed_beta``).

        Returns:
            ``obs`` and ``new_obs`` ``[B, N, D]``, ``actions`` ``[B, N, A]``, ``building_rewards`` ``[B, N]``,
            ``district_reward`` ``[B]``, ``discount`` ``[B]`` (gamma to the number of steps; zero after a termination).
            Where there are such things also ``states`` ``[B, S]``, ``community_index`` ``[B]``, ``present`` ``[B, N]``,
            ``action_mask`` ``[B, N, A]``, ``importance`` ``[B]`` (one for demonstrations, which are drawn uniformly from
            among themselves) and ``is_demonstration`` ``[B]``.

        Raises:
            TrainingError: there is nothing to draw.
        """
        shown = round(demonstration_share * batch_size)
        rows = np.empty((minibatches, batch_size), np.int64)
        rows[:, :shown] = self._draw_demonstrations(minibatches, shown)
        rows[:, shown:] = self._draw(minibatches, batch_size - shown)
        importance = np.ones(rows.shape, np.float32)
        if self._priorities is not None and shown < batch_size:
            importance[:, shown:] = self._priorities.weights(rows[:, shown:], beta, len(self))
        if self._priorities is not None or shown:
            # Demonstrations stand first and priorities' strata rise; learners and simulated hours take parts of a minibatch.
            order = self._random.permuted(np.tile(np.arange(batch_size), (minibatches, 1)), axis=1)
            rows, importance = np.take_along_axis(rows, order, 1), np.take_along_axis(importance, order, 1)
        self.drawn = rows.reshape(-1)
        batch = self.rows.batch(self.drawn, n_step, gamma)
        if self.demonstrations:
            batch[IS_DEMONSTRATION] = self.drawn < self.rows.ring_start
        if self._priorities is not None:
            batch[IMPORTANCE] = importance.reshape(-1)
        return batch

    def column_moments(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Means and standard deviations ``[D]`` of the observation columns, over buildings that have them.

        They are those of some thousand rows, evenly spread over what the replay holds.
        """
        rows = self._measured()
        there: npt.NDArray[np.bool_] = self.layout.observation_mask[None]
        if self._padded:
            there = self._columns_there[self.rows.community[rows]]
        return column_moments(self.rows.observations[rows], there)

    def value_moments(self, gamma: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Means and standard deviations ``[2]`` of buildings' values and the district's, from the same rows' rewards.

        Args:
            gamma: discount of an hour; episodes that end discount by as much more as they are frequent.
        """
        rows = self._measured()
        held = self.rows
        return value_moments(
            held.building_rewards[rows],
            held.district_reward[rows],
            held.present[held.community[rows]],
            # Of all rows: every other one of episodes of even length would have their ends always or never.
            gamma * (1.0 - float(held.terminated[held.startable].mean())),
        )

    def _measured(self) -> Rows:
        """Some thousand rows that transitions start at, evenly spread."""
        rows = np.flatnonzero(self.rows.startable)
        return rows[:: max(1, len(rows) // _MEASURED_ROWS)]

    def update_priorities(self, rows: Rows, td_errors: npt.ArrayLike) -> None:
        """Tell how wrong the critics were about rows ``[B]`` that were drawn; demonstrations have no priorities.

        Raises:
            TrainingError: errors that are not finite, or not one for every row.
        """
        if self._priorities is not None:
            self._priorities.update(rows, td_errors)

    def _draw(self, minibatches: int, size: int) -> Rows:
        """Rows ``[minibatches, size]`` of the ring."""
        if not size:
            return np.empty((minibatches, 0), np.int64)
        if not self.rows.startable[self.rows.ring_start : self.rows.ring_start + self._size].any():
            raise TrainingError("The replay holds no transition yet; add samples before drawing from it.")
        if self._priorities is not None:
            return self._priorities.draw(self._random, minibatches, size)
        rows = np.empty(0, np.int64)
        while len(rows) < minibatches * size:
            candidates = self.rows.ring_start + self._random.integers(0, self._size, 2 * minibatches * size)
            rows = np.concatenate([rows, candidates[self.rows.startable[candidates]]])
        return rows[: minibatches * size].reshape(minibatches, size)

    def _draw_demonstrations(self, minibatches: int, size: int) -> Rows:
        """Rows ``[minibatches, size]`` of the demonstrations."""
        if not size:
            return np.empty((minibatches, 0), np.int64)
        if not self.demonstrations:
            raise TrainingError(
                f"{size} demonstrations were asked for in every batch, but the replay holds none; name some in "
                "'demonstrations', or set demonstration_share to 0."
            )
        return self._demonstrated[self._random.integers(0, self.demonstrations, (minibatches, size))]

    def _find_demonstrations(self) -> None:
        self._demonstrated = np.flatnonzero(self.rows.startable[: self.rows.ring_start])

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Content, priorities and random state."""
        filled = slice(0, self.rows.ring_start + self._size)
        return {
            **{name: getattr(self.rows, name)[filled].copy() for name in ARRAYS},
            "ring_start": self.rows.ring_start,
            "head": self._head,
            "added": self.added,
            "random": self._random.bit_generator.state,
            "priorities": None if self._priorities is None else self._priorities.get_state(filled),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``, also into a larger replay; refuses rows of another shape.

        Raises:
            CheckpointError: rows of another shape, or more of them than there is room for.
        """
        filled, start, head = len(state["observations"]), int(state["ring_start"]), int(state["head"])
        for name in ARRAYS:
            here, there = getattr(self.rows, name), state[name]
            if there.shape[1:] != here.shape[1:] or filled > self.capacity:
                raise CheckpointError(
                    f"The checkpoint's replay holds {name} of shape {there.shape}, but this run has room for "
                    f"{here.shape}. Use the same buildings and features, and a capacity that is not smaller."
                )
        size, room = filled - start, self.capacity - start
        # A ring that had wrapped around starts at its head; in a larger one its oldest row has to come first.
        shift = head if size < room and head < size else 0
        order = np.concatenate([np.arange(start), start + np.roll(np.arange(size), -shift)])
        for name in ARRAYS:
            getattr(self.rows, name)[:filled] = state[name][order]
        self.rows.startable[filled:] = False
        self.rows.ring_start, self._size = start, size
        self._head = (size if size < room else head) % room
        self.added = int(state["added"])
        self._random.bit_generator.state = state["random"]
        self._find_demonstrations()
        self._restore_priorities(state["priorities"], order)

    def _restore_priorities(self, state: dict[str, Any] | None, order: Rows) -> None:
        """Priorities of the restored rows; a run that drew uniformly until now begins with equal ones."""
        if self._priorities is None:
            return
        if state is None:
            values = self.rows.startable[: len(order)].astype(np.float64)
            values[: self.rows.ring_start] = 0.0
            self._priorities.set_state(1.0, values)
        else:
            self._priorities.set_state(float(state["largest"]), state["values"][order])

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What ``Checkpointable`` needs to build an equal object."""
        return self._ctor
