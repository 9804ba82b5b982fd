"""The one shape of HTTP errors. What was sent is never repeated in them."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from registry.errors import (
    AutosortError,
    BadInput,
    DatabaseBusy,
    DatabaseUnavailable,
    InferenceFailed,
    ModelUnavailable,
    NotFound,
    Overloaded,
    Refused,
)
from registry.imports.rows import shown
from serving.disclosure import disclosed
from serving.http.abandonment import ClientGone
from serving.http.addresses import NotAllowed
from serving.schemas import Problem
from serving.versions.readiness import NotReady

_log = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = "1"
_PASSING = (429, 503)
"""Statuses of what passes by itself."""

_CLIENT_GONE = 499
"""Nobody reads it; for counts and logs, as nginx has it."""
_LISTED_FIELDS = 20


class NothingLive(AutosortError):
    """No version answers yet: none is live, or the live one could not be taken up."""

    def __init__(self, problem: str | None = None) -> None:
        if problem is None:
            fact, remedy = "No model version is live.", "Run `autosort retrain` or `autosort sync`"
        else:
            fact, remedy = f"No model version answers yet: {problem}", "Mend that"
        super().__init__(fact, f"{remedy}; the service takes it up by itself.")


_STATUS: tuple[tuple[type[AutosortError], int], ...] = (
    (NothingLive, 503),
    (NotReady, 503),
    (NotAllowed, 403),
    (Overloaded, 429),
    (InferenceFailed, 503),
    (ModelUnavailable, 503),
    (DatabaseUnavailable, 503),
    (DatabaseBusy, 503),
    (NotFound, 404),
    (BadInput, 400),
    (Refused, 409),
    (AutosortError, 500),
)

_BY_STATUS = {
    400: Problem(error="UnreadableBody", message="The body cannot be read.", remedy="Send JSON in UTF-8."),
    404: Problem(error="UnknownAddress", message="There is nothing at this address.", remedy="See /docs for what is."),
    405: Problem(
        error="MethodNotAllowed",
        message="This address does not take this method.",
        remedy="Use one that the Allow header names.",
    ),
    408: Problem(
        error="TooSlow",
        message="The body did not arrive in time.",
        remedy="Send it again, over a faster connection or in several requests.",
    ),
    413: Problem(error="BodyTooLarge", message="The body has more than 8 MiB.", remedy="Send it in several requests."),
}
"""What the framework refuses by itself."""


def install_error_handlers(app: FastAPI) -> None:
    """Answer the toolkit's errors, invalid requests and what the framework refuses as `Problem`."""
    app.add_exception_handler(AutosortError, _known_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(ClientGone, _client_gone)
    app.add_exception_handler(HTTPException, _refused_by_framework)  # type: ignore[arg-type]


def unexpected_error() -> JSONResponse:
    """The answer where nobody foresaw what happened."""
    body = Problem(
        error="InternalError", message="The service failed to answer.", remedy="Its log says why; report it with that."
    )
    return problem_response(body, 500)


async def _known_error(request: Request, error: AutosortError) -> JSONResponse:
    told = disclosed(error)
    if str(told) != str(error):
        _log.error("A request failed: %s", error)
    request.state.error = type(told).__name__
    return refusal_of(told)


def refusal_of(told: AutosortError) -> JSONResponse:
    """The response that tells a client of an error; what it says is all fit for clients."""
    status = next(status for kind, status in _STATUS if isinstance(told, kind))
    body = Problem(error=type(told).__name__, message=told.fact, remedy=told.remedy)
    return problem_response(body, status, {"Retry-After": _retry_after(told)} if status in _PASSING else None)


def _retry_after(error: AutosortError) -> str:
    """Whole seconds."""
    return str(math.ceil(error.retry_after)) if isinstance(error, Overloaded) else _RETRY_AFTER_SECONDS


async def _client_gone(request: Request, _error: Exception) -> Response:
    request.state.error = "ClientGone"
    return Response(status_code=_CLIENT_GONE)


async def _invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    request.state.error = "InvalidRequest"
    faults = error.errors()
    more = f" {len(faults)} fields are wrong, of which {_LISTED_FIELDS} are listed." * (len(faults) > _LISTED_FIELDS)
    body = Problem(
        error="InvalidRequest",
        message=f"The request does not have the form that the endpoint takes.{more}",
        remedy="See /docs for the form.",
        # The names of fields are the client's own: as short as those of an import's.
        fields=[
            {"field": ".".join(shown(str(part)) for part in fault["loc"]), "reason": fault["msg"]}
            for fault in faults[:_LISTED_FIELDS]
        ],
    )
    return problem_response(body, 422)


async def _refused_by_framework(request: Request, error: HTTPException) -> JSONResponse:
    status = error.status_code
    other = Problem(error=HTTPStatus(status).phrase.title().replace(" ", ""), message="The request is refused.")
    body = _BY_STATUS.get(status, other)
    request.state.error = body.error
    return problem_response(body, status, error.headers)


def problem_response(body: Problem, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A response with this problem."""
    return JSONResponse(body.model_dump(exclude_none=True), status, headers)
