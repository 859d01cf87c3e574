"""OpenTelemetry spans of requests, for whoever asks for them. Needs the extra ``tracing``."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.errors import ConfigError

Headers = dict[str, str]


class Tracer:
    """Sends a span for every request to a collector; spans of callers that sent ``traceparent`` (W3C) are their parents.

    Args:
        endpoint: URL of the collector, OTLP over HTTP, such as ``http://collector:4318/v1/traces``.
        exporter: where spans go instead, for tests.

    Raises:
        ConfigError: the extra is not installed.
    """

    def __init__(self, endpoint: str, exporter: Any = None) -> None:
        try:
            from opentelemetry import propagate
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

                exporter = OTLPSpanExporter(endpoint=endpoint)
        except ImportError as error:
            raise ConfigError(
                f"'traces' asks for OpenTelemetry, but {error.name} is missing; pip install 'rllib_citylearn[tracing]'."
            ) from error
        self.endpoint = endpoint
        self._propagate = propagate
        self._provider = TracerProvider(resource=Resource.create({"service.name": "rllib-citylearn"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("serve")

    def start(self, method: str, pattern: str, headers: Headers, request_id: str) -> Any:
        """A span that has begun; it is to be ended with ``end``."""
        from opentelemetry.trace import SpanKind

        return self._tracer.start_span(
            f"{method} {pattern}",
            context=self._propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": pattern, "http.request.id": request_id},
        )

    @staticmethod
    def end(span: Any, status: int) -> None:
        """The request was answered with ``status``."""
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
