"""What an API server with KubeRay's CRDs would say of a document: schema, defaults and CEL rules."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import celpy
import jsonschema
import pytest
import yaml
from celpy.adapter import json_to_cel

from tests.k8s.documents import ROOT, Document, title

FOLDER = ROOT.parent / "shared" / "kuberay-crds-1.7.0"

REQUIRED = "REQUIRE_KUBERAY_CRDS"
"""Variable of the environment: with any value, missing CRDs are an error and no reason to skip."""

_KINDS = {"RayService": "rayservices", "RayJob": "rayjobs", "RayCluster": "rayclusters"}
_INT = {"int32": 2**31, "int64": 2**63}


def why_skip(folder: Path, environment: Mapping[str, str]) -> str | None:
    """Why nothing can be held to the CRDs; None if it can.

    Args:
        folder: where they are, one a kind.
        environment: variables.

    Raises:
        FileNotFoundError: they are missing, and the environment says that they are required.
    """
    missing = [name for name in sorted(_KINDS.values()) if not (folder / f"ray.io_{name}.yaml").is_file()]
    if not missing:
        return None
    says = f"KubeRay's CRDs of {', '.join(missing)} are not in shared/{folder.name} beside the repository"
    if environment.get(REQUIRED):
        raise FileNotFoundError(f"{says}, and {REQUIRED} is set; put them there as ray.io_KIND.yaml, or unset it.")
    return says


_REASON = why_skip(FOLDER, os.environ)
needs_crds = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))


@cache
def _structural(kind: str) -> Document:
    """The CRD's own schema of the version `v1`."""
    with (FOLDER / f"ray.io_{_KINDS[kind]}.yaml").open() as file:
        crd = yaml.load(file, yaml.CSafeLoader)
    (schema,) = [version["schema"]["openAPIV3Schema"] for version in crd["spec"]["versions"] if version["name"] == "v1"]
    return schema


def strict(schema: Any) -> Any:
    """A structural schema as JSON schema that refuses what an API server would drop or refuse."""
    if not isinstance(schema, dict):
        return schema
    result = {
        key: schema[key]
        for key in (
            "type",
            "enum",
            "minimum",
            "maximum",
            "minItems",
            "maxItems",
            "minLength",
            "maxLength",
            "pattern",
            "required",
        )
        if key in schema
    }
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        return {"anyOf": [{"type": "integer"}, {"type": "string"}], **result}
    if "items" in schema:
        result["items"] = strict(schema["items"])
    if "properties" in schema:
        result["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = strict(schema["additionalProperties"])
    elif result.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    if schema.get("format") in _INT:
        bound = _INT[schema["format"]]
        result = {"minimum": -bound, "maximum": bound - 1, **result}
    return result


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = strict(_structural(kind))
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return jsonschema.Draft202012Validator(schema)


def with_defaults(value: Any, schema: Document) -> Any:
    """A document as it is stored: without nulls, with what the schema says for what is left out."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        result = {
            key: with_defaults(item, properties.get(key, others if isinstance(others, dict) else {}))
            for key, item in value.items()
            if item is not None
        }
        for key, of in properties.items():
            if key not in result and "default" in of:
                result[key] = of["default"]
        return result
    if isinstance(value, list):
        return [with_defaults(item, schema.get("items", {})) for item in value]
    return value


def _rules(value: Any, schema: Document, path: str) -> Iterator[tuple[str, str, str, Any]]:
    for rule in schema.get("x-kubernetes-validations", []):
        if not re.search(r"\boldSelf\b", rule["rule"]):  # those ask what it was before
            yield path, rule["rule"], rule.get("message", rule["rule"]), value
    if isinstance(value, dict):
        for key, item in value.items():
            of = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(of, dict):
                yield from _rules(item, of, f"{path}.{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _rules(item, schema.get("items", {}), f"{path}.{place}")


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))


def faults(document: Document) -> list[str]:
    """What an API server would say; nothing for kinds that are not KubeRay's."""
    return list(_faults(json.dumps(document, sort_keys=True))) if document["kind"] in _KINDS else []


@cache
def _faults(text: str) -> list[str]:
    """Overlays have documents in common, each looked at once."""
    document: Document = json.loads(text)
    kind = document["kind"]
    found = []
    if document["apiVersion"] != "ray.io/v1":
        found.append(f"{title(document)}: apiVersion is {document['apiVersion']}, not ray.io/v1")
    stored = with_defaults(document, _structural(kind))
    found += [
        f"{title(document)}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for error in _validator(kind).iter_errors(stored)
    ]
    return found + [
        f"{title(document)}: {path[1:]}: {message}"
        for path, rule, message, value in _rules(stored, _structural(kind), "")
        if not _program(rule).evaluate({"self": json_to_cel(value)})
    ]
