"""The Ray Serve application. ``serve.app:build_app`` is the import path for Serve config files (see ``config.yaml``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from ray import serve as ray_serve
from ray.serve import Application

from rllib_citylearn.export.bundle import read_bundle
from rllib_citylearn.export.runtime import PolicyRuntime
from serve.policy import PolicyServer
from serve.schemas import settings


def build_app(args: dict[str, Any]) -> Application:
    """The application for one policy.

    The bundle is read, verified and run here first. A replica that refuses its configuration says so in its own log only
    and is started over and over; a builder that fails is reported by ``serve status`` with the sentence.

    Args:
        args: see ``serve.schemas.Settings``: ``bundle``, and optionally ``max_body_bytes``.

    Returns:
        One deployment, ``PolicyServer``. To serve another policy without a restart, change its ``user_config``.

    Raises:
        ConfigError: unknown, missing or wrong arguments.
        BundleError: the bundle is damaged or does not run.
    """
    wanted = settings(args)
    PolicyRuntime(read_bundle(Path(wanted.bundle)))
    deployment = ray_serve.deployment(
        ray_serve.ingress()(PolicyServer), name="PolicyServer", user_config=msgspec.to_builtins(wanted)
    )
    return deployment.bind()
