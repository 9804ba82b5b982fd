"""No request is larger than this service means to read, longer under way, or more than there is room for."""

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.problems import refusal_of
from serving.service import Service

MOST_BYTES = 8 * 2**20
"""Of a body: twice what the largest request of ordinary texts takes."""

PATIENCE_SECONDS = 10.0
"""That a body is waited for in all, beside the time that its bytes take at the least rate."""

_LEAST_RATE = 32 * 2**10
"""Bytes a second: a connection of 256 kbit/s."""


_COMPUTING = frozenset({"/embed", "/v1/embeddings", "/rerank", "/v1/rerank", "/v2/rerank", "/predict", "/emotions"})
"""Addresses of which hardly a request can be answered without a model."""


class RoomLimit:
    """Refuses what the models have no room for before it is read: refusing much must cost little."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        overload = None
        if scope["type"] == "http" and scope["path"] in _COMPUTING:
            service: Service = scope["app"].state.service
            overload = service.scheduler.overload()
        if overload is None:
            await self._app(scope, receive, send)
            return
        scope["state"]["error"] = type(overload).__name__
        await refusal_of(overload)(scope, receive, send)


class BodyLimit:
    """Refuses larger bodies with 413: by what their header tells, before any of it is read, or while it is read.

    One that trickles in is refused with 408, and the connection ends with that.
    """

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._app = app
        self._most = most_bytes
        self._patience = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"")
        size = int(told) if told.isdigit() else 0
        arrived, waited, whole = 0, 0.0, False

        async def limited() -> Message:
            nonlocal size, arrived, waited, whole
            if size > self._most:
                raise HTTPException(413)
            if whole:  # what comes now is the client's leaving, for which nobody need hurry
                return await receive()
            begun = time.monotonic()
            message = await self._in_time(receive, self._patience + arrived / _LEAST_RATE - waited)
            waited += time.monotonic() - begun
            arrived += len(message.get("body", b""))
            size = max(size, arrived)
            whole = not message.get("more_body", False)
            if size > self._most:
                raise HTTPException(413)
            return message

        await self._app(scope, limited, send)

    async def _in_time(self, receive: Receive, seconds: float) -> Message:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                return await receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
