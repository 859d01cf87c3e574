"""Check an overlay as somebody has changed it: `python -m tests.k8s k8s/overlays/production`.

The tests beside this hold the manifests to what they are in the repository; this holds any to what a cluster would take and
run.
Ends with 1 if there are faults, with 2 if there is nothing to check.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import yaml

from tests.k8s import crds
from tests.k8s.checks import CHECKS
from tests.k8s.documents import Documents, render


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.k8s", description="Check Kubernetes manifests without a cluster.")
    parser.add_argument("overlay", type=Path, help="folder with a kustomization.yaml, or - for rendered manifests on stdin")
    overlay: Path = parser.parse_args().overlay
    try:
        documents = _read(overlay)
    except (AssertionError, OSError, yaml.YAMLError) as error:
        print(f"{overlay} can't be rendered: {error}", file=sys.stderr)
        return 2
    if not documents or not all(isinstance(one, dict) and {"kind", "metadata"} <= one.keys() for one in documents):
        print(
            f"There are no manifests in {overlay}; give what `kubectl kustomize` prints, or a folder for it.",
            file=sys.stderr,
        )
        return 2
    checks = dict(CHECKS)
    if (reason := crds.why_skip(crds.FOLDER, os.environ)) is None:
        checks["schema"] = lambda found: [fault for document in found for fault in crds.faults(document)]
    else:
        print(f"not checked: fields of KubeRay's kinds ({reason})", file=sys.stderr)
    faults = [f"{name}: {fault}" for name, check in checks.items() for fault in check(documents)]
    print("\n".join(faults) if faults else f"{len(documents)} manifests, no fault")
    return 1 if faults else 0


def _read(overlay: Path) -> Documents:
    return list(filter(None, yaml.safe_load_all(sys.stdin))) if str(overlay) == "-" else render(overlay)


if __name__ == "__main__":
    sys.exit(main())
