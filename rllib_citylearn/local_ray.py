"""Settings for Ray: for one that runs on this machine only, above all."""

from __future__ import annotations

import logging
import os
import secrets
import warnings


def prepare_environment(*, cluster: bool = False) -> None:
    """Set what Ray reads when it is imported, so call this first; what the user has set already stays.

    Args:
        cluster: whether a running cluster is going to be joined, whose token is the user's to give.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray lowers its workers' priority by default, which starves them beside a busy driver on few cores.
    os.environ.setdefault("RAY_worker_niceness", "0")
    if not cluster and "RAY_AUTH_MODE" not in os.environ:
        # Without a token of its own, Ray would write one to the home folder and ask later clusters for it.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def quiet_core() -> None:
    """Keep Ray's core silent below what is fatal; it reads this when it is imported, so call this first.

    Training hands RLlib's configs to actors in RLlib's own way, about which the core prints an error nobody can act on.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")


def quiet() -> None:
    """Keep Ray's and RLlib's log at errors; importing Ray resets these levels, so call this after it.

    RLlib warns about choices that are made on purpose here: connectors of our own, evaluation on demand. Gymnasium warns
    that RLlib registers its environments anew for every algorithm.
    """
    warnings.filterwarnings("ignore", message=".*Overriding environment rllib-", category=UserWarning)
    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
