"""The Ray Serve application. ``serve.app:build_app`` is the import path for Serve config files (see ``config.yaml``)."""

from __future__ import annotations

from typing import Any

import msgspec
from ray import serve as ray_serve
from ray.serve import Application

from serve.asgi import PolicyApp
from serve.policy import DEPLOYMENT, PolicyServer
from serve.settings import settings


def build_app(args: dict[str, Any]) -> Application:
    """The application for the policies of one or several communities.

    Args:
        args: see ``serve.settings.Settings``; empty where the Serve config file gives a ``user_config``, which can be
            changed without new replicas. What is given here is read, verified and run first, and refused with a sentence
            in ``serve status``; a replica that refuses its first ``user_config`` says so in its own log only.

    Returns:
        One deployment, ``PolicyServer``.

    Raises:
        ConfigError: unknown, missing or wrong arguments.
        BundleError: a bundle is damaged or does not run.
    """
    user_config = None
    if args:
        wanted = settings(args)
        PolicyApp().prepare(wanted)
        user_config = msgspec.to_builtins(wanted)
    deployment = ray_serve.deployment(
        ray_serve.ingress()(PolicyServer),
        name=DEPLOYMENT,
        user_config=user_config,
        logging_config={"enable_access_log": False},  # the application has its own, by option
    )
    return deployment.bind()
