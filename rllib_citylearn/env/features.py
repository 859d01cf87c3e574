"""The feature table of one community: encoders, grids and masks.

An observation passes through three forms:

* **raw**: physical units, one number a feature, as CityLearn gives it or a building's meters would (``values``);
* **encoded**: one or more columns a feature, each within [-1, 1] (``Feature.encode``);
* **joint**: encoded rows of all buildings on one grid ``[N, D]`` whose columns mean the same for every building; columns
  that a building lacks are zero and masked.

``rllib_citylearn.env.feature_table`` says what the features are. Only numpy is needed here, because serving shares this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.encoding import Encoder
from rllib_citylearn.env.feature_table import ACTIONS, FEATURES, Feature
from rllib_citylearn.errors import FeatureError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AgentFeatures:
    """What one building sees and sets.

    Attributes:
        name: the building's name; it is the agent's name too.
        features: names of its features in the order of its raw observation; descriptors are not among them.
        descriptors: the building's constants, by feature name.
        actions: names of its actions, in CityLearn's order.
        action_low, action_high: CityLearn's limits of those actions.
        memory: names of its memory features, in the table's order; they are not part of its raw observation.
    """

    name: str
    features: tuple[str, ...]
    descriptors: Mapping[str, float]
    actions: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    memory: tuple[str, ...] = ()


class CommunityFeatures:
    """The feature table of one community of N buildings: encoders, grids and masks.

    Args:
        agents: the buildings, in the order of the joint arrays' rows.
        ranges: physical ranges that replace the table's, by feature name.
        beside: names of features that have columns too, although no building may have them, so that communities of unlike
            buildings have one grid.
        actions_beside: names of actions likewise.

    Attributes:
        features: every feature that any building has or that stands beside them, in the table's order.
        columns: names of the D joint columns.
        actions: names of the A joint actions.
        memory: names of the M memory features that any building has; their columns are the last M of the D.
        observation_mask: bool ``[N, D]``, True where a building has that column.
        action_mask: bool ``[N, A]``.
    """

    def __init__(
        self,
        agents: Sequence[AgentFeatures],
        ranges: Mapping[str, Sequence[float]] | None = None,
        beside: Iterable[str] = (),
        actions_beside: Iterable[str] = (),
    ) -> None:
        if not agents:
            raise FeatureError("A community needs at least one building; the list of buildings is empty.")
        self.agents = tuple(agents)
        self.ranges = {name: (float(low), float(high)) for name, (low, high) in (ranges or {}).items()}
        used = {name for agent in agents for name in self._encoded_order(agent)} | set(beside)
        in_use = {name for agent in agents for name in agent.actions} | set(actions_beside)
        self._require_known("Observation", used | set(self.ranges), FEATURES)
        self._require_known("Action", in_use, ACTIONS)
        self.features = tuple(self._ranged(f) for name, f in FEATURES.items() if name in used)
        self._by_name = {feature.name: feature for feature in self.features}
        self.memory = tuple(feature.name for feature in self.features if feature.source == "memory")
        self.columns = tuple(column for feature in self.features for column in feature.columns)
        self.actions = tuple(name for name in ACTIONS if name in in_use)
        column_index = {column: i for i, column in enumerate(self.columns)}
        self._slots = [
            np.array([column_index[c] for name in self._encoded_order(agent) for c in self._by_name[name].columns])
            for agent in self.agents
        ]
        self._action_slots = [np.array([self.actions.index(a) for a in agent.actions], int) for agent in self.agents]
        self.observation_mask = np.zeros((len(self.agents), len(self.columns)), bool)
        self.action_mask = np.zeros((len(self.agents), len(self.actions)), bool)
        for i, (slots, action_slots) in enumerate(zip(self._slots, self._action_slots, strict=True)):
            self.observation_mask[i, slots] = True
            self.action_mask[i, action_slots] = True
        self._alone, self._together = self._encoders()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it was made from: every space of a community carries it to every worker."""
        return CommunityFeatures, (self.agents, self.ranges, [feature.name for feature in self.features], self.actions)

    @staticmethod
    def _require_known(what: str, names: Iterable[str], table: Mapping[str, Any]) -> None:
        unknown = sorted(set(names) - set(table))
        if unknown:
            raise FeatureError(
                f"{what} {', '.join(map(repr, unknown))} is not in the feature table. Deactivate it in the schema, or "
                "add it to rllib_citylearn/env/feature_table.py with its unit, range and meaning."
            )

    def _ranged(self, feature: Feature) -> Feature:
        low, high = self.ranges.get(feature.name, (feature.low, feature.high))
        return replace(feature, low=low, high=high)

    @staticmethod
    def _encoded_order(agent: AgentFeatures) -> list[str]:
        return [*agent.features, *agent.descriptors, *agent.memory]

    def feature(self, name: str) -> Feature:
        """The feature called ``name``, with this community's range."""
        return self._by_name[name]

    def agent_columns(self, index: int) -> tuple[str, ...]:
        """Names of the encoded columns of building ``index``, in the order of its own observation."""
        return tuple(self.columns[slot] for slot in self._slots[index])

    def _encoders(self) -> tuple[list[Encoder], Encoder]:
        """One encoder a building, onto its own columns, and one for all, onto the flattened joint grid."""
        width = len(self.columns)
        alone, features, slots = [], [], []
        together = np.zeros(len(self.agents) * width, np.float32)
        for i, agent in enumerate(self.agents):
            constants = np.zeros(len(self._slots[i]), np.float32)
            own: list[npt.NDArray[np.int64]] = []
            at = 0
            for name in self._encoded_order(agent):
                columns = np.arange(at, at + len(self._by_name[name].columns))
                at += len(columns)
                if name in agent.descriptors:
                    constants[columns] = self._by_name[name].encode(agent.descriptors[name])
                elif self._by_name[name].source != "memory":
                    own.append(columns)
            together[i * width + self._slots[i]] = constants
            mine = [self._by_name[name] for name in agent.features]
            alone.append(Encoder(mine, own, constants))
            features += mine
            slots += [i * width + self._slots[i][columns] for columns in own]
        return alone, Encoder(features, slots, together)

    def encode_agent(self, index: int, values: Sequence[float]) -> FloatArray:
        """Encode one building's raw observation; columns of memory features are zero (``Memory.write`` fills them).

        Args:
            index: the building's row.
            values: its raw features in the order of ``agents[index].features``, in physical units.

        Returns:
            float32 ``[d_i]`` within [-1, 1], in the order of ``agent_columns(index)``.
        """
        self._require_length(index, values)
        return self._alone[index](np.asarray(values, float))

    def encode(self, rows: Sequence[Sequence[float]]) -> FloatArray:
        """Encode all buildings' raw observations onto the joint grid: float32 ``[N, D]``, zero where masked.

        Columns of memory features are zero too; ``Memory.write`` fills them.
        """
        if len(rows) != len(self.agents):
            raise FeatureError(
                f"This community has {len(self.agents)} buildings but {len(rows)} rows of observations were given."
            )
        for i, row in enumerate(rows):
            self._require_length(i, row)
        values = np.fromiter(chain.from_iterable(rows), float)
        return self._together(values).reshape(len(self.agents), -1)

    def encode_agents(self, rows: Sequence[Sequence[float]]) -> list[FloatArray]:
        """Encode all buildings' raw observations, each in the order of its own columns: N vectors ``[d_i]``."""
        return self.own_columns(self.encode(rows))

    def _require_length(self, index: int, values: Sequence[float]) -> None:
        agent = self.agents[index]
        if len(values) != len(agent.features):
            raise FeatureError(
                f"{agent.name} has {len(agent.features)} features ({', '.join(agent.features)}) "
                f"but {len(values)} values were given."
            )

    def decode_actions(self, joint: FloatArray) -> list[list[float]]:
        """CityLearn's actions of every building, from joint actions ``[N, A]`` within [-1, 1].

        [-1, 1] is mapped linearly onto each action's own limits.
        """
        decoded = []
        for agent, slots, row in zip(self.agents, self._action_slots, joint, strict=True):
            decoded.append(
                [
                    low + (float(row[slot]) + 1.0) * (high - low) / 2.0
                    for slot, low, high in zip(slots, agent.action_low, agent.action_high, strict=True)
                ]
            )
        return decoded

    def encode_actions(self, joint: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The inverse of ``decode_actions``: joint actions ``[N, A]`` in CityLearn's units, mapped onto [-1, 1]."""
        low, high = np.zeros(self.action_mask.shape), np.ones(self.action_mask.shape)
        for n, (agent, slots) in enumerate(zip(self.agents, self._action_slots, strict=True)):
            low[n, slots], high[n, slots] = agent.action_low, agent.action_high
        return np.where(self.action_mask, 2.0 * (np.asarray(joint, float) - low) / (high - low) - 1.0, 0.0)

    def own_actions(self, joint: npt.NDArray[Any]) -> list[list[float]]:
        """Each building's own actions out of joint ones ``[N, A]``, unchanged."""
        return [[float(row[slot]) for slot in slots] for slots, row in zip(self._action_slots, joint, strict=True)]

    def joint_actions(self, rows: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
        """Joint actions ``[N, A]`` from each building's own; zero where a building lacks one."""
        joint = np.zeros(self.action_mask.shape)
        for n, (slots, row) in enumerate(zip(self._action_slots, rows, strict=True)):
            joint[n, slots] = row
        return joint

    def own_columns(self, joint: FloatArray) -> list[FloatArray]:
        """Each building's own columns out of joint observations ``[N, D]``, in the order of ``agent_columns``."""
        return [row[slots] for row, slots in zip(joint, self._slots, strict=True)]

    def clipped(self, rows: Sequence[Sequence[float]]) -> list[tuple[str, str, float]]:
        """(building, feature, value) of every raw value that lies outside its feature's range."""
        if not self._together.outside(np.fromiter(chain.from_iterable(rows), float)).any():
            return []
        return [
            (agent.name, name, float(value))
            for agent, row in zip(self.agents, rows, strict=True)
            for name, value in zip(agent.features, row, strict=True)
            if self._by_name[name].clips(float(value))
        ]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description from which ``from_dict`` makes an equal object."""
        return {
            "features": [{**asdict(feature), "columns": list(feature.columns)} for feature in self.features],
            "actions": [asdict(ACTIONS[name]) for name in self.actions],
            "buildings": [
                {
                    "name": agent.name,
                    "features": list(agent.features),
                    "descriptors": dict(agent.descriptors),
                    "actions": list(agent.actions),
                    "action_low": list(agent.action_low),
                    "action_high": list(agent.action_high),
                    "memory": list(agent.memory),
                }
                for agent in self.agents
            ],
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> CommunityFeatures:
        """The inverse of ``to_dict``; refuses a description that this version's table would encode differently."""
        agents = [
            AgentFeatures(
                name=building["name"],
                features=tuple(building["features"]),
                descriptors=dict(building["descriptors"]),
                actions=tuple(building["actions"]),
                action_low=tuple(building["action_low"]),
                action_high=tuple(building["action_high"]),
                memory=tuple(building.get("memory", ())),  # bundles of 0.1 don't have it
            )
            for building in description["buildings"]
        ]
        ranges = {feature["name"]: (feature["low"], feature["high"]) for feature in description["features"]}
        actions = [action["name"] for action in description.get("actions", ())]
        community = cls(agents, ranges, list(ranges), actions)
        theirs = [column for feature in description["features"] for column in feature["columns"]]
        if theirs != list(community.columns):
            raise FeatureError(
                "The description's features encode to other columns than this version's feature table "
                f"({len(theirs)} against {len(community.columns)}). Use the version of rllib_citylearn that wrote it."
            )
        return community


def fitted_ranges(maxima: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Ranges for quantities whose scale differs from site to site (energies, powers, prices, carbon intensity).

    Each is bounded by the next of 1, 1.5, 2, 3, 5, 7.5, 10, 15, ... above the largest value in the data, so that data sets
    of one kind get one range, and a policy trained on some buildings of a site fits the others.

    Args:
        maxima: the largest absolute value of each feature over the data set, in the feature's unit.

    Returns:
        name -> (low, high); features that are always zero keep the table's range.
    """
    result = {}
    for name, maximum in maxima.items():
        if maximum <= 0:
            continue
        decade = 10.0 ** np.floor(np.log10(maximum))
        steps = (1, 1.5, 2, 3, 5, 7.5, 10)
        bound = next(round(step * decade, 9) for step in steps if step * decade >= maximum * (1 - 1e-6))
        result[name] = (-bound if FEATURES[name].low < 0 else 0.0, bound)
    return result
