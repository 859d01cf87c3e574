"""The deployment's class: loads policies, and loads others when the configuration changes, without a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any

from rllib_citylearn.errors import UserError
from serve.asgi import PolicyApp
from serve.autoscaling import ANSWERS, BUSY, BusyThread
from serve.logs import log_as_json
from serve.settings import settings

DEPLOYMENT = "PolicyServer"
"""Name of the deployment in Serve config files."""

IMPORT_PATH = "serve.app:build_app"
"""What they import."""

log = logging.getLogger(__name__)


class PolicyServer:
    """One replica. Ray Serve calls ``reconfigure`` before the first request and at each change of ``user_config``."""

    def __init__(self) -> None:
        log_as_json()
        self._app = PolicyApp()
        self._app.names_requests = False  # Serve writes the header that says the request's id
        self._app.metrics.replica = f"{socket.gethostname()}-{os.getpid()}"
        self._busy: BusyThread | None = None
        self._answers = 0

    def __serve_build_asgi_app__(self) -> PolicyApp:
        """The ASGI application that gets this replica's requests."""
        return self._app

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What ``serve.autoscaling.BusyReplicas`` goes by; asked now and then, on the event loop that answers requests."""
        before, self._answers = self._answers, self._app.metrics.answers
        if self._busy is None:
            self._busy = BusyThread()
            return {BUSY: 0.0, ANSWERS: 1.0}  # it was started for something
        return {BUSY: self._busy.share(), ANSWERS: float(self._answers - before)}

    async def reconfigure(self, user_config: Any) -> None:
        """Serve what ``user_config`` asks for.

        Bundles are read, verified, run and compared on recorded inputs in another thread, and replace the old ones at a
        single point: requests are answered by one policy or the other. A configuration that can't be used is an error for
        a replica that starts; one that is serving goes on as it was and says so in its log, its metrics, ``/ready`` and
        ``/v1/models``, because Ray Serve would end a replica that raises here, and start another that raises too.

        Args:
            user_config: see ``serve.settings.Settings``.

        Raises:
            ConfigError: unknown, missing or wrong settings.
            BundleError: a bundle is damaged or does not run.
        """
        try:
            wanted = settings(user_config)
            self._app.use(*await asyncio.to_thread(self._app.prepare, wanted))
        except Exception as error:
            if not self._app.communities:
                raise
            log.error("a configuration was refused: %s", error, exc_info=not isinstance(error, UserError))
            self._app.refuse(str(error))
