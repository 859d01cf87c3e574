"""The deployment's class: loads a bundle, and loads another when the configuration changes, without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from rllib_citylearn.export.bundle import read_bundle
from rllib_citylearn.export.runtime import PolicyRuntime
from serve.asgi import PolicyApp
from serve.schemas import Settings, settings


class PolicyServer:
    """One replica. Ray Serve calls ``reconfigure`` before the first request and at each change of ``user_config``."""

    def __init__(self) -> None:
        self._app = PolicyApp(max_body_bytes=Settings(bundle="").max_body_bytes)

    def __serve_build_asgi_app__(self) -> PolicyApp:
        """The ASGI application that gets this replica's requests."""
        return self._app

    async def reconfigure(self, user_config: Any) -> None:
        """Load the bundle that ``user_config`` names.

        It is read, verified and run once in another thread, and replaces the old one at a single point: requests are
        answered by one policy or the other, and by the old one still if the new one is refused.

        Args:
            user_config: see ``serve.schemas.Settings``.

        Raises:
            ConfigError: unknown, missing or wrong settings.
            BundleError: the bundle is damaged or does not run.
        """
        wanted = settings(user_config)
        policy = await asyncio.to_thread(lambda: PolicyRuntime(read_bundle(Path(wanted.bundle))))
        self._app.max_body_bytes = wanted.max_body_bytes
        self._app.load(policy)
