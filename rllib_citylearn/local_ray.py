"""Settings for Ray: for one that runs on this machine only, above all."""

from __future__ import annotations

import logging
import os
import secrets
import warnings

from rllib_citylearn.errors import UserError


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


def start_local_ray(cpus: int | None, object_store_bytes: int, *, gpus: int | None = None) -> None:
    """Start a Ray for this process and its children, without a dashboard; it ends with the process.

    Args:
        cpus: how many cores it counts; None: all that there are.
        object_store_bytes: shared memory for its objects.
        gpus: how many GPUs it counts; None: all that there are.

    Raises:
        UserError: it did not start.
    """
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=cpus or os.cpu_count(),
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=object_store_bytes,
        )
    except Exception as error:  # Ray raises nothing more particular
        raise UserError(
            f"Ray did not start ({error}). It needs a gigabyte of memory, room in /tmp and /dev/shm, and half a minute of "
            "processor time; give it more of what is short, and start again."
        ) from error


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
