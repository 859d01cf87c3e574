"""Asking a policy server for actions over HTTP, hour by hour, with retries and a safe way out. Needs the extra ``client``.

Names are imported on first use. All decisions are made by ``calls.PolicyCalls``, which does no input or output; the two
clients differ in how they send, wait and sleep, and in nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.client.answers import Actions, Clipped, Hints, Model
    from rllib_citylearn.client.async_client import AsyncPolicyClient
    from rllib_citylearn.client.community import Building, Community
    from rllib_citylearn.client.errors import DeadlineError, PolicyRequestError
    from rllib_citylearn.client.sync_client import PolicyClient

_HOME = {
    "Actions": "rllib_citylearn.client.answers",
    "AsyncPolicyClient": "rllib_citylearn.client.async_client",
    "Building": "rllib_citylearn.client.community",
    "Clipped": "rllib_citylearn.client.answers",
    "Community": "rllib_citylearn.client.community",
    "DeadlineError": "rllib_citylearn.client.errors",
    "Hints": "rllib_citylearn.client.answers",
    "Model": "rllib_citylearn.client.answers",
    "PolicyClient": "rllib_citylearn.client.sync_client",
    "PolicyRequestError": "rllib_citylearn.client.errors",
}

__all__ = [
    "Actions",
    "AsyncPolicyClient",
    "Building",
    "Clipped",
    "Community",
    "DeadlineError",
    "Hints",
    "Model",
    "PolicyClient",
    "PolicyRequestError",
]

__getattr__ = lazy_names(__name__, _HOME)
