"""The two pages for people: what is served now, and what the API takes. They load nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent

_STYLE = (_HERE / "style.css").read_text()

_SCRIPT = (_HERE / "front.js").read_text()


def _page(title: str, body: str, script: str = "") -> str:
    tail = f"<script>{script}</script>" if script else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><body>{body}{tail}"
    )


def front_page() -> str:
    """What this replica serves and has done: every number is read from ``/v1/models`` and ``/metrics`` by the browser."""
    return _page(
        "Policies",
        "<h1>Policies being served</h1>"
        '<p class="bad" id="problem"></p>'
        "<table><thead><tr><th>community</th><th>version</th><th>policy</th><th></th>"
        '<th class="n">score when exported</th><th>trained by</th></tr></thead><tbody id="versions"></tbody></table>'
        '<p class="dim">Score: cost, carbon and grid over no control, simulated for a year of the data that the policy was '
        "judged on; lower is better. What these buildings save here is not measured by this server.</p>"
        '<h2>This replica</h2><table><tbody id="numbers"></tbody></table>'
        '<p><label>Token, where one is asked for: <input id="token" type="password" autocomplete="off"></label></p>'
        '<p><a href="docs">API</a> · <a href="openapi.json">OpenAPI document</a> · <a href="metrics">metrics</a></p>',
        _SCRIPT,
    )


def docs_page(document: dict[str, Any]) -> str:
    """The OpenAPI document, to read."""
    parts = [f"<h1>{escape(document['info']['title'])}</h1><p>{escape(document['info']['description'])}</p>"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(path, method, operation))
    parts.append("<h2>Schemas</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
            f"<pre>{escape(json.dumps(schema, indent=2))}</pre></details>"
        )
    parts.append('<p><a href="openapi.json">The document as JSON</a></p>')
    return _page("API", "".join(parts))


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['description'])}</td></tr>"
        for parameter in operation["parameters"]
    )
    body = operation.get("requestBody")
    asked = _schema_link(body["content"]) if body else ""
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(response['description'])} {_schema_link(response['content'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</summary>"
        f"<table>{rows}</table>{f'<p>Body: {asked}</p>' if asked else ''}<table>{answers}</table></details>"
    )


def _schema_link(content: dict[str, Any]) -> str:
    (media,) = content.values()
    name = media["schema"].get("$ref", "").rpartition("/")[2]
    return f'<a href="#{name}">{name}</a>' if name else ""
