"""Each request is answered by one version: taken when it begins, named in the response's headers."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.errors import AutosortError
from serving.matcher import Answering


class NothingLive(AutosortError):
    """No version is live, so nothing can be answered yet."""

    def __init__(self) -> None:
        super().__init__(
            "No model version is live.", "Run `autosort retrain` or `autosort sync`; the service takes it up by itself."
        )


class AnsweringMiddleware:
    """Takes what answers from the slot once, before anything else, and says so in every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering: Answering | None = scope["app"].state.slot.answering
        scope.setdefault("state", {})["answering"] = answering

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start" and answering is not None:
                headers = MutableHeaders(scope=message)
                headers["X-Model-Version"] = answering.version.version
                headers["X-Generation"] = str(answering.generation)
            await send(message)

        await self._app(scope, receive, send_named)
