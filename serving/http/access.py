"""Whether whoever asks may: settled by the headers alone, before anything of the body is read.

No key, an unknown one and one whose role does not suffice go the same way in the same time: each is hashed, compared
with all keys there are, and answered from the same lines.
"""

from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api_keys import Role
from serving.access.keyring import ANYBODY, Caller, Keyring
from serving.http.addresses import Address
from serving.http.answering import name_answering
from serving.http.problems import problem_response
from serving.schemas import Problem
from serving.service import Service

_UNKNOWN, _NOT_ALLOWED = 401, 403


class AccessMiddleware:
    """Lets requests through whose key suffices for the address that they are for; tells the others why not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        address: Address = scope["state"]["address"]
        caller = _caller(service.keyring, shown_key(scope["headers"]))
        scope["state"]["caller"] = caller
        if address.role is None or (caller is not None and caller.role.includes(address.role)):
            await self._app(scope, receive, send)
            return
        await _refusal(scope, caller, address.role)(scope, receive, _named(send, service))


def shown_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What is shown as a key: in `Authorization: Bearer …`, or else in `X-Api-Key`; nothing if neither is there."""
    bearer = key = b""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
        elif name == b"x-api-key":
            key = value.strip()
    return bearer or key


def _caller(keyring: Keyring, shown: bytes) -> Caller | None:
    known = keyring.caller(shown)
    return known if known is not None or keyring.demands_key else ANYBODY


def _refusal(scope: Scope, caller: Caller | None, needed: Role) -> Response:
    """Why this caller may not, in the one shape of errors."""
    scope["state"]["error"] = "KeyNeeded" if caller is None else "NotAllowed"
    if caller is None:
        body = Problem(
            error="KeyNeeded",
            message="This address needs a key, and none that is known was shown.",
            remedy='Send "Authorization: Bearer KEY" or "X-Api-Key: KEY".',
        )
        return problem_response(body, _UNKNOWN, {"WWW-Authenticate": 'Bearer realm="autosort"'})
    body = Problem(
        error="NotAllowed",
        message=f"This address needs a key that may {needed}; this one may {caller.role}.",
        remedy=f"Ask with another key, or have one made: `autosort keys add NAME --role {needed}`.",
    )
    return problem_response(body, _NOT_ALLOWED)


def _named(send: Send, service: Service) -> Send:
    """A refusal says what answers, as every response does."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            name_answering(message, service.slot.answering)
        await send(message)

    return named
