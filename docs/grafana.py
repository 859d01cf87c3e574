"""Writes serve/grafana.json, the dashboard for Grafana: ``python docs/grafana.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "serve" / "grafana.json"

_OF = '{community=~"$community"}'
_PANELS: list[tuple[str, str, str, list[tuple[str, str]]]] = [
    (
        "Requests a second",
        "reqps",
        "By path and status, over all replicas.",
        [("{{path}} {{status}}", "sum by (path, status) (rate(citylearn_policy_requests_total[$__rate_interval]))")],
    ),
    (
        "Time of a request",
        "s",
        "From the first byte of a POST to its answer, within the replica; the way there is not in it.",
        [
            (
                f"{share:.0%}",
                f"histogram_quantile({share}, "
                "sum by (le) (rate(citylearn_policy_request_seconds_bucket[$__rate_interval])))",
            )
            for share in (0.5, 0.95, 0.99)
        ],
    ),
    (
        "Refused and failed",
        "reqps",
        "503: more than the replicas take. 429: more than one caller may send. 5xx besides: see the log, by request id.",
        [
            (
                "{{status}}",
                'sum by (status) (rate(citylearn_policy_requests_total{status=~"4..|5.."}[$__rate_interval]))',
            )
        ],
    ),
    ("In progress", "short", "Requests being answered now.", [("requests", "sum(citylearn_policy_requests_in_progress)")]),
    (
        "Observations answered, by version",
        "short",
        "A second; a canary's share is seen here.",
        [
            (
                "{{community}} {{version}}",
                f"sum by (community, version) (rate(citylearn_policy_answers_total{_OF}[$__rate_interval]))",
            )
        ],
    ),
    (
        "What should answer",
        "percentunit",
        "Share of the requests that a version is to answer, by the configuration; replicas that differ are several lines.",
        [
            (
                "{{community}} {{version}} {{name}} {{sha256}}",
                f"max by (community, version, name, sha256) (citylearn_policy_model_info{_OF})",
            )
        ],
    ),
    (
        "Observations in a request",
        "short",
        "Mean.",
        [
            (
                "{{community}}",
                f"sum by (community) (rate(citylearn_policy_batch_size_sum{_OF}[$__rate_interval])) / "
                f"sum by (community) (rate(citylearn_policy_batch_size_count{_OF}[$__rate_interval]))",
            )
        ],
    ),
    (
        "Refused configurations",
        "short",
        "In the last hour. The one before goes on; the log and /v1/models say why.",
        [("refused", "sum(increase(citylearn_policy_refused_configurations_total[1h]))")],
    ),
    (
        "Clipped measurements",
        "short",
        "A second, outside the range that the policy was trained with: a broken meter, another unit, another season.",
        [
            (
                "{{building}} {{feature}}",
                "topk(10, sum by (community, building, feature) "
                f"(rate(citylearn_policy_clipped_values_total{_OF}[$__rate_interval])))",
            )
        ],
    ),
    (
        "Silent buildings",
        "short",
        "Observations a second without a building, which is then left as nobody would control it.",
        [
            (
                "{{community}} {{building}}",
                f"sum by (community, building) (rate(citylearn_policy_silent_buildings_total{_OF}[$__rate_interval]))",
            )
        ],
    ),
    (
        "Where inputs lie in their ranges",
        "percentunit",
        "Running means: 0 is the low end of what the policy was trained with, 1 the high end.",
        [("{{feature}}", f"avg by (community, feature) (citylearn_policy_input_position{_OF})")],
    ),
    (
        "How inputs spread in their ranges",
        "percentunit",
        "Running standard deviations; one that falls to zero is a meter that hangs.",
        [("{{feature}}", f"avg by (community, feature) (citylearn_policy_input_spread{_OF})")],
    ),
    (
        "States of other policies",
        "short",
        "A second; their communities began afresh.",
        [("{{community}}", f"sum by (community) (rate(citylearn_policy_foreign_states_total{_OF}[$__rate_interval]))")],
    ),
]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    panels = []
    for k, (title, unit, meaning, queries) in enumerate(_PANELS):
        panels.append(
            {
                "id": k + 1,
                "title": title,
                "description": meaning,
                "type": "timeseries",
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "gridPos": {"x": 12 * (k % 2), "y": 8 * (k // 2), "w": 12, "h": 8},
                "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
                "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
                "targets": [
                    {"refId": chr(65 + i), "expr": query, "legendFormat": legend}
                    for i, (legend, query) in enumerate(queries)
                ],
            }
        )
    community = {
        "name": "community",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": "label_values(citylearn_policy_model_info, community)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "title": "rllib_citylearn policies",
        "uid": "rllib-citylearn",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}, community]},
        "panels": panels,
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(dashboard(), indent=2) + "\n")
