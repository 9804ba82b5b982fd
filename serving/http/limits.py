"""No request holds more than this service means to read."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 8 * 2**20
"""Of a body: twice what the largest request of ordinary texts takes."""


class BodyLimit:
    """Refuses larger bodies with 413: by what their header tells, before any of it is read, or while it is read."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        told = dict(scope["headers"]).get(b"content-length", b"") if scope["type"] == "http" else b""
        size = int(told) if told.isdigit() else 0

        async def counted() -> Message:
            nonlocal size
            if size <= self._most:
                message = await receive()
                size += 0 if told else len(message.get("body", b""))
            if size > self._most:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)
