"""Every request seen from outside: given an id, timed, counted, traced, and told of in one line of the log.

The line names the address by its template and the key by its name: nothing of what the client sent is in it.
"""

import logging
import random
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.addresses import Address, Addresses
from serving.inference.steps import STEPS, Step
from serving.monitoring.logs import FIELDS, REQUEST_ID
from serving.service import Service

_log = logging.getLogger("autosort.requests")

_ids = random.Random()  # noqa: S311 - no secret, and the system need not be asked for each
_HEADER = b"x-request-id"
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACING = (b"traceparent", b"tracestate")
_QUIET = frozenset({"/health", "/ready", "/live", "/metrics"})
"""Asked by machines, all the time: their successes are not worth a line."""

_NO_ANSWER = 499
"""The client went before there was one; as nginx has it."""

_CLIENT_ERROR = 400


class ObservingMiddleware:
    """The outermost one: whatever becomes of a request, it is known here."""

    def __init__(self, app: ASGIApp, addresses: Addresses) -> None:
        self._app = app
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        begun, status = time.monotonic(), None
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["address"] = self._addresses.find(scope["method"], scope["path"])
        token = REQUEST_ID.set(request_id.decode())
        steps: list[Step] | None = [] if service.traces is not None else None
        STEPS.set(steps)

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, request_id)]
                if service.readiness.draining:  # the client's next request should go to another server
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        finally:
            _note(service, scope, begun, status or _NO_ANSWER, steps)
            REQUEST_ID.reset(token)


def _request_id(scope: Scope) -> bytes:
    """The client's own, if it is one that a log can take; else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _SANE_ID.fullmatch(value):
            return bytes(value)
    return b"%032x" % _ids.getrandbits(128)


def _note(service: Service, scope: Scope, begun: float, status: int, steps: list[Step] | None) -> None:
    """Count, trace and log a request that has ended."""
    fields = _fields(scope, status, time.monotonic() - begun)
    service.metrics.request(
        fields["method"],
        fields["path"],
        fields["model_version"] or "",
        status=status,
        seconds=fields["seconds"],
        error=fields["error"],
    )
    if service.traces is not None and steps is not None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _TRACING}
        name = f"{fields['method']} {fields['path']}"
        fields["trace_id"] = service.traces.request(name, begun, steps, headers, _attributes(fields))
    if _log.isEnabledFor(logging.INFO) and _worth_a_line(scope["state"]["address"], status):
        _log.info("request", extra={FIELDS: fields})


def _fields(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    """What may be told of a request."""
    state, address = scope["state"], scope["state"]["address"]
    chosen, caller = state.get("chosen"), state.get("caller")
    answering = chosen.answering if chosen else None
    return {
        "method": scope["method"] if address.known else "(any)",
        "path": address.template,
        "status": status,
        "seconds": round(seconds, 6),
        "model_version": answering.version.version if answering else None,
        "generation": answering.generation if answering else None,
        "key": caller.name if caller else None,
        "error": state.get("error"),
    }


def _attributes(fields: dict[str, Any]) -> dict[str, Any]:
    """The same for a span, by OpenTelemetry's names where it has one."""
    return {
        "http.request.method": fields["method"],
        "http.route": fields["path"],
        "http.response.status_code": fields["status"],
        "error.type": fields["error"],
        "autosort.model_version": fields["model_version"],
        "autosort.generation": fields["generation"],
        "autosort.request_id": REQUEST_ID.get(),
    }


def _worth_a_line(address: Address, status: int) -> bool:
    return status >= _CLIENT_ERROR or address.template not in _QUIET
