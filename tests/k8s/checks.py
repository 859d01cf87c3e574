"""What is looked at on rendered manifests, by name; each check gives its faults as sentences."""

from __future__ import annotations

from collections.abc import Callable

from tests.k8s import contents, core, injected, operator_rules, references, restricted, sizes
from tests.k8s.documents import Documents

CHECKS: dict[str, Callable[[Documents], list[str]]] = {
    "core": lambda documents: [fault for document in documents for fault in core.faults(document)],
    "operator": operator_rules.faults,
    "restricted": lambda documents: restricted.faults(injected.pods(documents)),
    "references": references.faults,
    "contents": contents.faults,
    "sizes": sizes.faults,
}
