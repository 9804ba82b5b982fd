"""Each request is answered by one version: taken when it begins, named in the response's headers."""

import logging

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.matcher import Answering
from serving.problems import unexpected_error

_log = logging.getLogger(__name__)


class AnsweringMiddleware:
    """Takes what answers from the slot once, before anything else, and says so in every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; whatever nobody foresaw is logged and answered here, so that this says so too."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering: Answering | None = scope["app"].state.slot.answering
        scope.setdefault("state", {})["answering"] = answering
        started = False

        async def send_named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _name(message, answering)
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception:
            if started:
                raise
            _log.exception("%s %r failed", scope["method"], scope["path"])
            await unexpected_error()(scope, receive, send_named)


def _name(message: Message, answering: Answering | None) -> None:
    if answering is not None:
        headers = MutableHeaders(scope=message)
        headers["X-Model-Version"] = answering.version.version
        headers["X-Generation"] = str(answering.generation)
