"""Settings for a Ray that runs on this machine only, for training and serving alike."""

from __future__ import annotations

import logging
import os
import secrets


def prepare_environment() -> None:
    """Set what Ray reads when it is imported, so call this first; what the user has set already stays."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray lowers its workers' priority by default, which starves them beside a busy driver on few cores.
    os.environ.setdefault("RAY_worker_niceness", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        # Without a token of its own, Ray would write one to the home folder and ask later clusters for it.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def quiet() -> None:
    """Keep Ray's and RLlib's log at errors; importing Ray resets these levels, so call this after it.

    RLlib warns about choices that are made on purpose here: connectors of our own, evaluation on demand.
    """
    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
