"""What trials report: flat numbers, so that Tune can stop, choose and draw by them."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.algorithm.progress import Validated
from rllib_citylearn.algorithm.rounds import Rounds

METRICS: dict[str, str] = {
    "best_objective": "lowest objective of a validation so far: the score, and what people lack where any are served",
    "best_score": "score of the validation with the lowest objective",
    "objective": "objective of the latest validation",
    "score": "mean of cost, carbon and grid over no control in the latest validation",
    "cost": "electricity bill over no control in the latest validation",
    "carbon": "emissions over no control in the latest validation",
    "ramping": "hourly changes of the district's load over no control in the latest validation",
    "load_factor": "1 - load factor of the district over no control in the latest validation",
    "held_out_score": "score of the latest validation on held-out buildings",
    "best_held_out_score": "lowest score of a validation on held-out buildings so far",
}
"""What trials can be compared by, lower is better: name and meaning."""

COUNTS = ("minutes", "env_steps", "updates", "env_steps_per_s", "updates_per_s")
"""What else they report."""


def metrics_of(rounds: Rounds) -> dict[str, Any]:
    """Flat metrics of a run that has validated at least once; what it has not got is left out."""
    progress = rounds.progress
    found: dict[str, Any] = {name: rounds.kpis[name] for name in METRICS if name in rounds.kpis}
    for name, validated in (("best_", progress.best), ("", progress.latest)):
        if validated is not None:
            found |= {f"{name}objective": validated.objective, f"{name}score": validated.score}
    found |= _score("held_out_score", progress.held_out) | _score("best_held_out_score", progress.best_held_out)
    found |= {name: rounds.result[name] for name in COUNTS if name in rounds.result}
    return found | {"minutes": progress.seconds / 60.0, "env_steps": progress.env_steps, "updates": progress.updates}


def _score(name: str, validated: Validated | None) -> dict[str, float]:
    return {} if validated is None else {name: validated.score}
