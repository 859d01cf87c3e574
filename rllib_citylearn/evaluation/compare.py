"""Running contenders over communities, random seeds and training runs, all on the same episodes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.env.config import FAST, check_engine
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.jobs import Attempt, Job, Refusal, run_jobs
from rllib_citylearn.evaluation.provenance import origin_of
from rllib_citylearn.evaluation.relation import Judged, Relation, combined, relation
from rllib_citylearn.evaluation.specs import BaselineSpec, ControllerSpec
from rllib_citylearn.evaluation.standing import standing_label, standing_notes


@dataclass(frozen=True)
class ContenderSpec:
    """A controller, or several training runs of the same.

    Attributes:
        name: what tables and figures call it.
        runs: one a training run.
    """

    name: str
    runs: tuple[ControllerSpec, ...]


@dataclass(frozen=True)
class CommunitySpec:
    """Buildings of the data to compare on.

    Attributes:
        label: what tables call them; whether policies were trained on them is added from the policies' records.
        buildings: their names; None takes all.
        held_out: whether the caller says that no policy was trained on them; where a record says otherwise, so does the
            comparison.
    """

    label: str
    buildings: tuple[str, ...] | None
    held_out: bool = False


def compare(
    contenders: Sequence[ContenderSpec],
    schema: str | Path,
    *,
    communities: Sequence[CommunitySpec],
    seeds: Sequence[int | None] = (None,),
    engine: str = FAST,
    window: tuple[int, int] | None = None,
    processes: int | None = None,
    data: Mapping[str, Any] | None = None,
    progress: TextIO | None = None,
    left_out: Sequence[tuple[str, str]] = (),
) -> Comparison:
    """Run every contender in every community with every random seed.

    With more than one process controllers run in new Python processes, so a script that calls this needs
    ``if __name__ == "__main__":``.

    Args:
        contenders: what to compare; the names must differ.
        schema: path of a data set's ``schema.json``, or of its folder.
        communities: whom to compare on; each gets tables of its own.
        seeds: CityLearn's random seeds, from which batteries and journeys are drawn; None is the schema's.
        engine: what simulates: ``fast`` or ``citylearn``.
        window: first and last time step, both included; None runs all of the data.
        processes: how many controllers to run at once; None takes as many as there are cores.
        data: JSON-ready description of the data set; None takes the folder's name.
        progress: where to show progress, as ``sys.stderr``; None shows none.
        left_out: names of those who should have taken part and could not even be made, each with the reason.

    Raises:
        BundleError, CheckpointError: a policy can't be read; nothing has run then.
        ConfigError: nothing to compare, equal names, equal seeds, or contenders without a run.
        EngineError: the fast engine can't simulate one of the communities.
        UserError: none of the contenders can control one of the communities; the first one's reason.
    """
    _check(contenders, communities, seeds)
    check_engine(engine)
    path = Path(schema)
    described = {"name": (path if path.is_dir() else path.parent).resolve().name} if data is None else dict(data)
    relations = _relations(contenders, communities, path, described, window)
    places = [
        (community, seed, contender, run)
        for community in communities
        for seed in seeds
        for contender in contenders
        for run in contender.runs
    ]
    jobs = [
        Job(
            spec=run,
            schema=str(path),
            engine=engine,
            buildings=community.buildings,
            window=window,
            seed=seed,
            data=described,
            label=_label(run.name, community.label if len(communities) > 1 else "", seed if len(seeds) > 1 else None),
        )
        for community, seed, _, run in places
    ]
    order = sorted(range(len(jobs)), key=lambda i: -_slowness(places[i][3]))
    workers = (os.cpu_count() or 1) if processes is None else processes
    if workers < 1:
        raise ConfigError(f"{processes} processes can't compare anything; give at least one.")
    results = run_jobs([Attempt(jobs[i]) for i in order], processes=workers, progress=progress)
    found = dict(zip(order, results, strict=True))
    number = iter(range(len(places)))
    compared = []
    for community, known in zip(communities, relations, strict=True):
        # In the order of ``places``, but for contenders, which seeds come before there.
        ran = [[[found[next(number)] for _ in contender.runs] for contender in contenders] for _ in seeds]
        compared.append(_community(community, contenders, ran, known, left_out))
    return Comparison(tuple(compared)).related()


def _relations(
    contenders: Sequence[ContenderSpec],
    communities: Sequence[CommunitySpec],
    schema: Path,
    data: Mapping[str, Any],
    window: tuple[int, int] | None,
) -> list[dict[str, Relation]]:
    """For each community how contenders relate to what they were trained on, by name."""
    origins = {contender.name: [origin_of(run) for run in contender.runs] for contender in contenders}
    places = [Judged.of(schema, data, community.buildings, window) for community in communities]
    return [{name: combined([relation(one, place) for one in runs]) for name, runs in origins.items()} for place in places]


def _community(
    community: CommunitySpec,
    contenders: Sequence[ContenderSpec],
    ran: Sequence[Sequence[Sequence[Evaluation | Refusal]]],
    relations: Mapping[str, Relation],
    left_out: Sequence[tuple[str, str]],
) -> CommunityComparison:
    """What ran in one community, by seed, contender and training run."""
    entered, refused = [], list(left_out)
    for k, contender in enumerate(contenders):
        results = [of_seed[k] for of_seed in ran]
        refusals = [result for runs in results for result in runs if isinstance(result, Refusal)]
        if refusals:
            refused.append((contender.name, refusals[0].reason))
            continue
        evaluations = tuple(tuple(r for r in runs if isinstance(r, Evaluation)) for runs in results)
        entered.append(Contender(contender.name, evaluations, relations[contender.name]))
    if not entered:
        raise next(r.error for of_seed in ran for runs in of_seed for r in runs if isinstance(r, Refusal))
    shown = [evaluations[0] for evaluations in entered[0].evaluations]
    taking_part = {contender.name: relations[contender.name] for contender in entered}
    return CommunityComparison(
        label=standing_label(community.label, taking_part),
        note=standing_notes(taking_part, held_out=community.held_out),
        seeds=tuple(e.seed for e in shown),
        contenders=tuple(entered),
        refused=tuple(refused),
    )


def _label(name: str, community: str, seed: int | None) -> str:
    parts = [part for part in (community, "" if seed is None else f"seed {seed}") if part]
    return f"{name} ({', '.join(parts)})" if parts else name


def _slowness(spec: ControllerSpec) -> float:
    """``Baseline.slowness`` of a baseline; all others are quick."""
    known = isinstance(spec, BaselineSpec) and spec.name in BASELINES
    return BASELINES[spec.name].slowness if known else 0.0


def _check(contenders: Sequence[ContenderSpec], communities: Sequence[CommunitySpec], seeds: Sequence[int | None]) -> None:
    names = [contender.name for contender in contenders]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"The contenders are {', '.join(names) or 'none'}; give at least one, each once.")
    empty = [contender.name for contender in contenders if not contender.runs]
    if empty:
        raise ConfigError(f"{empty[0]} has nothing to run; give it at least one policy.")
    if not communities or not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError(f"The seeds are {list(seeds) or 'none'}; give at least one, each once, and a community.")
