"""Every request seen from outside: given an id, timed, counted, and told of in one line of the log.

The line names the address by its template and the key by its name: nothing of what the client sent is in it.
"""

import logging
import re
import secrets
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.addresses import Address, Addresses
from serving.monitoring.logs import FIELDS, REQUEST_ID
from serving.service import Service

_log = logging.getLogger("autosort.requests")

_HEADER = b"x-request-id"
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
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
        begun, status = time.perf_counter(), None
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["address"] = self._addresses.find(scope["method"], scope["path"])
        token = REQUEST_ID.set(request_id.decode())

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
            _note(service, scope, status or _NO_ANSWER, time.perf_counter() - begun)
            REQUEST_ID.reset(token)


def _request_id(scope: Scope) -> bytes:
    """The client's own, if it is one that a log can take; else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _SANE_ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(16).encode()


def _note(service: Service, scope: Scope, status: int, seconds: float) -> None:
    state, address = scope["state"], scope["state"]["address"]
    chosen = state.get("chosen")
    answering = chosen.answering if chosen else None
    version = answering.version.version if answering else ""
    method = scope["method"] if address.known else "(any)"
    service.metrics.request(method, address.template, version, status=status, seconds=seconds, error=state.get("error"))
    if _log.isEnabledFor(logging.INFO) and _worth_a_line(address, status):
        caller = state.get("caller")
        fields: dict[str, Any] = {
            "method": method,
            "path": address.template,
            "status": status,
            "seconds": round(seconds, 6),
            "model_version": version or None,
            "generation": answering.generation if answering else None,
            "key": caller.name if caller else None,
            "error": state.get("error"),
        }
        _log.info("request", extra={FIELDS: fields})


def _worth_a_line(address: Address, status: int) -> bool:
    return status >= _CLIENT_ERROR or address.template not in _QUIET
