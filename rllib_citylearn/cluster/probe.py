"""Asks an address whether a Ray cluster answers there; a script, run as a process of its own.

Ray's client may end the whole process, or wait long, where something is wrong. What was found is printed as a line of
JSON: ``state`` (``cluster``, ``silent``, ``token`` for a refused one, ``no-token`` for none to send), and of a cluster its
``versions`` and whether this machine ``is_node`` of it. Nothing of this package is imported here: this has to work where
only Ray does.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

_ASKING_LIMIT_S = 5


def ask(address: str) -> dict[str, Any]:
    """What is found at an address, ``HOST:PORT``."""
    from ray._private.services import find_node_ids
    from ray.exceptions import AuthenticationError, RpcError

    core: Any = import_module("ray._raylet")  # its stub leaves out what is used here
    sends_token = core.get_authentication_mode() == core.AuthenticationMode.TOKEN
    if sends_token and not core.AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
        return {"state": "no-token"}  # the next call would end this process with a report of a bug in Ray
    try:
        client = core.GcsClient(address=address)
        metadata = json.loads(client.internal_kv_get(b"CLUSTER_METADATA", b"cluster", timeout=_ASKING_LIMIT_S))
        nodes = client.get_all_node_info(timeout=_ASKING_LIMIT_S)
    except AuthenticationError:
        return {"state": "token"}
    except (RpcError, TypeError):
        return {"state": "silent"}
    here = set(find_node_ids())
    is_node = any(identity.hex() in here and info.state == info.ALIVE for identity, info in nodes.items())
    versions = {"Ray": metadata.get("ray_version"), "Python": metadata.get("python_version")}
    return {"state": "cluster", "versions": versions, "is_node": is_node}


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1])))
