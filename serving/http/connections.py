"""Connections that never finish asking are closed: those who mean it are not kept waiting by them.

uvicorn itself waits for ever for the first request of a connection, for the rest of one whose headers have begun, and
for a client that does not read its answer.
"""

import asyncio
import resource
from asyncio import TimerHandle
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.schemas import Problem

HEADER_SECONDS = 10.0
"""That a request's headers may take, from the connection's or the request's first byte."""

_FLUSH_SECONDS = 30.0
"""That a client has to read the rest of its answer, once the connection is to end."""

_MOST_HEADER_BYTES = 64 * 2**10
_FILES_KEPT = 256
"""Descriptors that connections leave to the database, models and logs."""

_MOST_CONNECTIONS = 4_096

_TOO_SLOW = Problem(error="TooSlow", message="The request did not arrive in time.", remedy="Send it again.")
_TOO_LARGE = Problem(error="HeadersTooLarge", message="The headers have more than 64 KiB.", remedy="Send less in them.")
_UNREADABLE = Problem(
    error="UnreadableRequest", message="This is no HTTP request.", remedy="Send one as RFC 9112 has it."
)
_CROWDED = Problem(
    error="Overloaded", message="The service has as many connections as it can hold.", remedy="Connect again later."
)


def most_connections() -> int:
    """How many this process can hold; what it may raise of the limit on open files is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _FILES_KEPT
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(_MOST_CONNECTIONS, soft - _FILES_KEPT))


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with an end to its patience."""

    header_seconds = HEADER_SECONDS
    most_connections = _MOST_CONNECTIONS

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **named)
        self._header_timer: TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, _CROWDED)
        else:
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._headers_are_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, within the limits of headers."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > _MOST_HEADER_BYTES:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0
        if self._header_timer is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Its headers are here."""
        self._in_headers = False
        self._headers_are_here()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """What cannot be read is told in the one shape of errors."""
        self._end(HTTPStatus.BAD_REQUEST, _UNREADABLE)

    def timeout_keep_alive_handler(self) -> None:
        """The connection has been idle for long enough."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(_FLUSH_SECONDS, self.transport.abort)

    def _wait_for_headers(self) -> None:
        self._header_timer = self.loop.call_later(self.header_seconds, self._headers_took_too_long)

    def _headers_are_here(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_took_too_long(self) -> None:
        self._header_timer = None
        if self._in_headers:
            self._end(HTTPStatus.REQUEST_TIMEOUT, _TOO_SLOW)
        else:  # nothing was asked
            self.transport.close()

    def _end(self, status: HTTPStatus, problem: Problem) -> None:
        """Say why, and close the connection."""
        self._headers_are_here()
        body = orjson.dumps(problem.model_dump(exclude_none=True))
        retry = b"retry-after: 1\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else b""
        self.transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n".encode()
            + retry
            + f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        self.transport.close()
