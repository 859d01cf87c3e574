"""A Kubernetes Service in front of pods: new connections to its address go to one that is ready, by chance."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """An address that the packet filter of one network namespace gives to pods, as kube-proxy's rules do on a node.

    Attributes:
        namespace: where clients are.
        address: theirs to connect to; of the cluster's network, and nobody's.
        port: of the service and of its pods.
    """

    namespace: str
    address: str
    port: int

    def use(self, pods: Sequence[str]) -> None:
        """Give new connections to these addresses, and refuse them if there are none; those that stand stay."""
        to = f"ip daddr {self.address} tcp dport {self.port}"
        if len(pods) > 1:
            choices = ", ".join(f"{number} : {pod}" for number, pod in enumerate(pods))
            rule = f"{to} dnat to numgen random mod {len(pods)} map {{ {choices} }}"
        elif pods:
            rule = f"{to} dnat to {pods[0]}"
        else:
            rule = ""
        self._load(
            "table ip service\ndelete table ip service\ntable ip service {\n"
            f"  chain to_pods {{\n    type nat hook output priority -100;\n    {rule}\n  }}\n"
            f"  chain to_nobody {{\n    type filter hook output priority 0;\n    {to} reject with tcp reset\n  }}\n}}\n"
        )

    def _load(self, rules: str) -> None:
        command = ["ip", "netns", "exec", self.namespace, "nft", "-f", "-"]
        done = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{rules}"
