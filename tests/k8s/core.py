"""What an API server would say of kinds that are not KubeRay's: Kubernetes' own by its schemas, others by ours."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate

from tests.k8s.documents import Document, title

KUBERNETES = "1.32"
"""The version whose schemas count: what the fields used here are in at the latest."""

_RAY = {"RayService", "RayJob", "RayCluster"}

_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}
_LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}


def _object(required: list[str], **properties: Any) -> Document:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _list(items: Any, least: int = 1) -> Document:
    return {"type": "array", "items": items, "minItems": least}


_METADATA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": _NAME, "namespace": _NAME, "labels": _LABELS, "annotations": {"type": "object"}},
    "additionalProperties": False,
}

_POD_MONITOR = _object(
    ["selector", "podMetricsEndpoints"],
    selector=_object(["matchLabels"], matchLabels=_LABELS),
    podTargetLabels=_list({"type": "string"}),
    podMetricsEndpoints=_list(
        _object(
            ["port"],
            port={"type": "string", "maxLength": 15},
            path={"type": "string", "pattern": "^/"},
            interval=_DURATION,
            scrapeTimeout=_DURATION,
        )
    ),
)
_PROMETHEUS_RULE = _object(
    ["groups"],
    groups=_list(
        _object(
            ["name", "rules"],
            name={"type": "string"},
            interval=_DURATION,
            rules=_list(
                _object(
                    ["alert", "expr", "labels", "annotations"],
                    alert={"type": "string", "pattern": "^[A-Z][A-Za-z]+$"},
                    expr={"type": "string"},
                    **{"for": _DURATION},
                    labels=_object(["severity"], severity={"enum": ["critical", "warning"]}),
                    annotations=_object(
                        ["summary", "description"], summary={"type": "string"}, description={"type": "string"}
                    ),
                )
            ),
        )
    ),
)
_HOST = {"type": "string", "pattern": r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_GATEWAY = _object(
    ["gatewayClassName", "listeners"],
    gatewayClassName=_NAME,
    listeners=_list(
        _object(
            ["name", "protocol", "port"],
            name=_NAME,
            protocol={"enum": ["HTTP", "HTTPS"]},
            port=_PORT,
            hostname=_HOST,
            tls=_object(
                ["mode", "certificateRefs"],
                mode={"const": "Terminate"},
                certificateRefs=_list(_object(["name"], kind={"const": "Secret"}, name=_NAME)),
            ),
            allowedRoutes=_object(
                ["namespaces"], namespaces=_object(["from"], **{"from": {"enum": ["All", "Same", "Selector"]}})
            ),
        )
    ),
)
_HTTP_ROUTE = _object(
    ["parentRefs", "rules"],
    parentRefs=_list(_object(["name"], name=_NAME, sectionName=_NAME)),
    hostnames=_list(_HOST),
    rules=_list(
        _object(
            [],
            matches=_list(
                _object(
                    ["path"],
                    path=_object(
                        ["type", "value"], type={"enum": ["Exact", "PathPrefix"]}, value={"type": "string", "pattern": "^/"}
                    ),
                )
            ),
            timeouts=_object([], request=_DURATION, backendRequest=_DURATION),
            backendRefs=_list(_object(["name", "port"], name=_NAME, port=_PORT, weight={"type": "integer", "minimum": 0})),
            filters=_list(
                _object(
                    ["type", "requestRedirect"],
                    type={"const": "RequestRedirect"},
                    requestRedirect=_object(
                        [], scheme={"enum": ["http", "https"]}, statusCode={"enum": [301, 302]}, hostname=_HOST
                    ),
                )
            ),
        )
    ),
)

_OURS = {
    "PodMonitor": ("monitoring.coreos.com/v1", _POD_MONITOR),
    "PrometheusRule": ("monitoring.coreos.com/v1", _PROMETHEUS_RULE),
    "Gateway": ("gateway.networking.k8s.io/v1", _GATEWAY),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", _HTTP_ROUTE),
}
"""Fields that these manifests use, of kinds whose schemas are not at hand; anything else is refused, be it right or not."""


def faults(document: Document) -> list[str]:
    """What an API server would say; nothing for KubeRay's kinds."""
    return list(_faults(json.dumps(document, sort_keys=True)))


@cache
def _faults(text: str) -> list[str]:
    """Overlays have many documents in common, each looked at once."""
    document: Document = json.loads(text)
    kind = document["kind"]
    if kind in _RAY:
        return []
    if kind in _OURS:
        version, spec = _OURS[kind]
        schema = _object(
            ["apiVersion", "kind", "metadata", "spec"],
            apiVersion={"const": version},
            kind={"const": kind},
            metadata=_METADATA,
            spec=spec,
        )
        errors = jsonschema.Draft202012Validator(schema).iter_errors(document)
        found = [f"{title(document)}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]
        return found + _tls(document)
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{title(document)}: there is no such kind in Kubernetes {KUBERNETES} ({error})"]
    except kubernetes_validate.ValidationError as error:
        return [f"{title(document)}: {'.'.join(map(str, error.path))}: {error.message[:300]}"]
    return _names(document)


def _tls(document: Document) -> list[str]:
    listeners = document["spec"].get("listeners", []) if document["kind"] == "Gateway" else []
    return [
        f"{title(document)}: the listener {one['name']} is {one['protocol']}, and {'has' if 'tls' in one else 'lacks'} tls"
        for one in listeners
        if ("tls" in one) != (one.get("protocol") == "HTTPS")
    ]


def _names(document: Document) -> list[str]:
    name = document["metadata"]["name"]
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name):
        return [f"{title(document)}: the name is none that Kubernetes takes"]
    return []
