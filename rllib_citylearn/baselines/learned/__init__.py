"""Controllers that learn what they do, trained for a while to be compared with: CityLearn's agents, RLlib's, an ablation.

    folder = train_learned("rllib-ppo", schema=data, seed=0, minutes=10, folder=Path("runs/rllib-ppo"))
    evaluate([LearnedSpec("rllib-ppo", str(folder)), BaselineSpec("bau")], data)

Names are imported on first use: listing what there is imports neither torch, Ray nor CityLearn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.baselines.learned.registry import LEARNED
from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.baselines.learned.spec import LearnedSpec
    from rllib_citylearn.baselines.learned.trainer import train_learned

_HOME = {
    "LearnedSpec": "rllib_citylearn.baselines.learned.spec",
    "train_learned": "rllib_citylearn.baselines.learned.trainer",
}

__all__ = ["LEARNED", "LearnedSpec", "train_learned"]

__getattr__ = lazy_names(__name__, _HOME)
