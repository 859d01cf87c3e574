"""The Ray Serve application. ``serve.app:build_app`` is the import path for Serve config files (see ``config.yaml``)."""

from __future__ import annotations

from typing import Any

import msgspec
from ray import serve as ray_serve
from ray.serve import Application

from serve.asgi import PolicyApp
from serve.policy import PolicyServer
from serve.settings import settings


def build_app(args: dict[str, Any], **options: Any) -> Application:
    """The application for the policies of one or several communities.

    Everything is read, verified and run here first. A replica that refuses its first configuration says so in its own log
    only and is started over and over; a builder that fails is reported by ``serve status`` with the sentence.

    Args:
        args: see ``serve.settings.Settings``.
        options: of the deployment, as in ``ray.serve.deployment``; a Serve config file gives them itself.

    Returns:
        One deployment, ``PolicyServer``. To serve other policies without a restart, change its ``user_config``.

    Raises:
        ConfigError: unknown, missing or wrong arguments.
        BundleError: a bundle is damaged or does not run.
    """
    wanted = settings(args)
    PolicyApp().prepare(wanted)
    deployment = ray_serve.deployment(
        ray_serve.ingress()(PolicyServer),
        name="PolicyServer",
        user_config=msgspec.to_builtins(wanted),
        logging_config={"enable_access_log": False},  # the application has its own, by option
        **options,
    )
    return deployment.bind()
