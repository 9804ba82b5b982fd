"""The one shape of HTTP errors. What was sent is never repeated in them."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from registry.errors import AutosortError, BadInput, DatabaseUnavailable, NotFound, Refused
from serving.answering import NothingLive
from serving.schemas import Problem

_RETRY_AFTER_SECONDS = "1"
_STATUS: tuple[tuple[type[AutosortError], int], ...] = (
    (NothingLive, 503),
    (DatabaseUnavailable, 503),
    (NotFound, 404),
    (BadInput, 400),
    (Refused, 409),
    (AutosortError, 500),
)


def install_error_handlers(app: FastAPI) -> None:
    """Answer the toolkit's errors and invalid requests as `Problem`."""
    app.add_exception_handler(AutosortError, _known_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid_request)  # type: ignore[arg-type]


def _known_error(_request: Request, error: AutosortError) -> JSONResponse:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    body = Problem(error=type(error).__name__, message=error.fact, remedy=error.remedy)
    headers = {"Retry-After": _RETRY_AFTER_SECONDS} if status == 503 else None  # noqa: PLR2004 - Service Unavailable
    return JSONResponse(body.model_dump(exclude_none=True), status, headers)


def _invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    fields = [{"field": ".".join(map(str, each["loc"])), "reason": each["msg"]} for each in error.errors()]
    body = Problem(
        error="InvalidRequest",
        message="The request does not have the form that the endpoint takes.",
        remedy="See /docs for the form.",
        fields=fields,
    )
    return JSONResponse(body.model_dump(exclude_none=True), 422)
