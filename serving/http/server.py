"""The server around the app: whom it listens to, and how it ends.

Asked to end (SIGTERM), it says at once that it is not ready and goes on answering while balancers take that in; then it
takes no more, answers what is on its way, and ends with 0. Asked again it ends at once, as by Ctrl-C.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

_log = logging.getLogger(__name__)

LONGEST_ANSWER_SECONDS = 25.0
"""That a server on its way out waits for answers: what would wait longer to be computed is refused from the start."""

_KILLED = 128


class Server(uvicorn.Server):
    """uvicorn's server, which drains before it ends.

    Args:
        drain: told that the server is to end.
    """

    def __init__(self, config: uvicorn.Config, drain_seconds: float, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._drain = drain
        self._ends_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; end at once if asked again, or by Ctrl-C before that."""
        if sig != signal.SIGTERM and self._ends_at is None:
            super().handle_exit(sig, frame)
        elif self._ends_at is None:
            self._ends_at = time.monotonic() + self._drain_seconds
            self._drain()
        else:
            logging.shutdown()
            os._exit(_KILLED + sig)

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to end."""
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            self.should_exit = True
        return await super().on_tick(counter)


def server_of(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0, drain_seconds: float = 0.0) -> Server:
    """The app's server, as `autosort serve` runs it."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_protocol(),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(LONGEST_ANSWER_SECONDS),
    )

    def drain() -> None:
        _log.info("Asked to end: not ready from now on, answering for %.1f s more", drain_seconds)
        service = getattr(app.state, "service", None)
        if service is not None:  # else it has not begun yet
            service.readiness.draining = True

    return Server(config, drain_seconds, drain)


def _protocol() -> Any:  # noqa: ANN401 - what uvicorn takes
    """Uvicorn's own on Windows, where the parser that ours is made of is not to be had."""
    if sys.platform == "win32":
        return "h11"
    from serving.http.connections import PatientProtocol, most_connections

    PatientProtocol.most_connections = most_connections()
    return PatientProtocol
