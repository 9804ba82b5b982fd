"""Traces of requests for OpenTelemetry, if the environment names a collector.

A request's spans are made when it has ended, from the times that its steps were noted: nothing has to be carried
through threads that many requests share. What was sent is in none of them.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from registry.errors import Refused
from serving.inference.steps import Step

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE = "autosort"
_SERVER_ERROR = 500
_NANOSECONDS = 1_000_000_000


class Traces:
    """Makes spans, which the provider sends in the background."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("autosort.serving")
        self._propagator = TraceContextTextMapPropagator()

    def request(
        self, name: str, begun_at: float, steps: Sequence[Step], headers: Mapping[str, str], about: Mapping[str, Any]
    ) -> str:
        """A request that has just ended, and its steps; the id of its trace.

        Args:
            begun_at: by the monotonic clock.
            headers: `traceparent` and `tracestate`, if the client sent them: its trace goes on.
            about: the span's attributes, those that are None left out.
        """
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

        parent = self._propagator.extract(dict(headers))
        attributes = {key: value for key, value in about.items() if value is not None}
        now = time.monotonic()
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes, start_time=_epoch(begun_at))
        inside = set_span_in_context(span)
        for each in steps:
            child = self._tracer.start_span(each.name, inside, start_time=_epoch(each.begun_at))
            child.end(_epoch(each.ended_at))
        if about.get("http.response.status_code", 0) >= _SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end(_epoch(now))
        return f"{span.get_span_context().trace_id:032x}"

    def stop(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def traces_of_environment() -> Traces | None:
    """Traces for the collector that OpenTelemetry's own variables name; None if they name none.

    Raises:
        Refused: they do, and OpenTelemetry's SDK is not installed.
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise Refused(
            f"{_ENDPOINTS[0]} is set, and OpenTelemetry is not installed.",
            "Run `pip install 'autosort-lifecycle[otel]'`, or unset it.",
        ) from error
    name = os.environ.get("OTEL_SERVICE_NAME", _SERVICE)
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


def _epoch(moment: float) -> int:
    """A moment of the monotonic clock in nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - moment) * _NANOSECONDS)
