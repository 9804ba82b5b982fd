"""Each request is answered by one version: chosen when it begins, named in the response's headers.

That is the live version; or the one that the request names; or, during a parallel run with a canary share, the
candidate for the users of that share.
"""

import logging
import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.errors import AutosortError, BadInput
from serving.http.problems import unexpected_error
from serving.matching.matcher import Answering
from serving.parallel.canary import in_canary, user_key
from serving.service import Service
from serving.versions.slot import Standing

_log = logging.getLogger(__name__)

VERSION_HEADER, GENERATION_HEADER, USER_HEADER = "X-Model-Version", "X-Generation", "X-User-Id"
_LONGEST_USER = 200
_COUNTED = frozenset({"/embed", "/match"})
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Chosen:
    """What answers a request: None while nothing is live; or why what it asked for cannot answer."""

    standing: Standing
    answering: Answering | None
    user: str | None = None
    refusal: AutosortError | None = None


class AnsweringMiddleware:
    """Chooses what answers before anything else, says so in every response, and counts what was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; whatever nobody foresaw is logged and answered here, so that this says so too."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        begun = time.perf_counter()
        with service.traffic.request():
            chosen = await _choose(service, Headers(scope=scope))
            scope.setdefault("state", {})["chosen"] = chosen
            status = await self._answer(scope, receive, send)
            chosen = scope["state"]["chosen"]  # a field of the body may have named another
        if chosen.answering and scope["path"] in _COUNTED and status is not None:
            service.traffic.note(
                chosen.answering.version.version,
                chosen.answering.generation,
                scope["path"],
                time.perf_counter() - begun,
                failed=status >= _SERVER_ERROR,
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> int | None:
        """Answer, and return the response's status; None if there was none."""
        status: int | None = None

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                name_answering(message, scope["state"]["chosen"].answering)
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception:
            if status is not None:
                raise
            address = scope["state"].get("address")
            _log.exception("%s %s failed", scope["method"], address.template if address else "(unknown)")
            scope["state"]["error"] = "InternalError"
            await unexpected_error()(scope, receive, send_named)
        return status


async def _choose(service: Service, headers: Headers) -> Chosen:
    standing = service.slot.standing
    user, wanted = headers.get(USER_HEADER), headers.get(VERSION_HEADER)
    try:
        if user is not None and not 0 < len(user) <= _LONGEST_USER:
            raise BadInput(f"{USER_HEADER} has {len(user)} characters.", f"Send 1 to {_LONGEST_USER}.")
        if wanted is not None:
            return Chosen(standing, await run_in_threadpool(service.slot.pinned, wanted), user)
    except AutosortError as error:
        return Chosen(standing, standing.live, user, error)
    return Chosen(standing, _by_user(service, standing, user), user)


def _by_user(service: Service, standing: Standing, user: str | None) -> Answering | None:
    """The candidate for users of the canary share, else the live version."""
    run, candidate = standing.run, standing.candidate
    if user is None or run is None or candidate is None or not run.canary:
        return standing.live
    canary = in_canary(run.run_id, user, run.canary)
    service.comparisons.note_user(run.run_id, user_key(run.run_id, user), canary=canary)
    return candidate if canary else standing.live


def name_answering(message: Message, answering: Answering | None) -> None:
    """Say in a response's headers what answers, if anything does."""
    if answering is not None:
        headers = MutableHeaders(scope=message)
        headers[VERSION_HEADER] = answering.version.version
        headers[GENERATION_HEADER] = str(answering.generation)
