"""Traces as a collector gets them: over HTTP, in OpenTelemetry's own format."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from registry.errors import Refused
from registry.settings import RegistrySettings
from serving.http.app import create_app
from serving.monitoring.traces import traces_of_environment
from serving.settings import ServingSettings
from tests.support.service import running

PRIVATE = "what-nobody-else-may-read"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a collector was sent."""
    got: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_requests_spans_arrive_with_its_steps_in_the_clients_own_trace(
    posts: list[bytes], trained_settings: RegistrySettings
) -> None:
    app = create_app(trained_settings, ServingSettings(device="cpu", precision="fp32"))
    with running(app) as client:
        parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        client.post(f"/embed?{PRIVATE}", json={"inputs": PRIVATE}, headers=parent)
        known = app.state.service.slot.answering.index.playlists[0].playlist_id
        assert client.post("/match", json={"songs": [{"song_id": known}]}).status_code == 404
        client.post("/embed", json={"inputs": [PRIVATE, 1]})
    spans = [span for post in posts for span in _spans(post)]
    by_id = {span.span_id: span for span in spans}
    embed = next(span for span in spans if span.trace_id.hex() == TRACE and span.name == "POST /embed")
    assert embed.parent_span_id.hex() == PARENT
    steps = {span.name: span for span in spans if span.parent_span_id == embed.span_id}
    assert set(steps) == {"tokenize", "queue", "inference"}
    for step in steps.values():
        assert embed.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano
        assert step.end_time_unix_nano <= embed.end_time_unix_nano
    (database,) = (span for span in spans if span.name == "database")
    assert by_id[database.parent_span_id].name == "POST /match"
    assert _attributes(embed)["http.route"] == "/embed"
    assert _attributes(embed)["autosort.model_version"] == "v1"
    assert not any(PRIVATE.encode() in post for post in posts)
    assert any(_attributes(span).get("error.type") == "InvalidRequest" for span in spans)


def test_without_a_collector_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert traces_of_environment() is None


def test_without_the_sdk_a_collector_is_refused_and_the_remedy_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(Refused, match="otel"):
        traces_of_environment()


def _spans(post: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(post)
    return [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]


def _attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
