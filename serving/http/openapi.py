"""What the service's own description says beside each endpoint's form: examples, errors, and what key is needed."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from serving.http.addresses import Addresses
from serving.schemas import Problem

_TOLD = {
    400: ("UnreadableBody", "The body cannot be read.", "Send JSON in UTF-8."),
    401: ("KeyNeeded", "This address needs a key, and none that is known was shown.", "Send one."),
    403: ("NotAllowed", "This address needs a key that may write; this one may read.", "Ask with another key."),
    404: ("NotFound", "1 of the songs are not in the catalogue, the first: 's-1'.", "Import them."),
    408: ("TooSlow", "The body did not arrive in time.", "Send it again."),
    409: ("Refused", "v1 has no reranker.", "Ask a version that has one."),
    413: ("BodyTooLarge", "The body has more than 8 MiB.", "Send it in several requests."),
    422: ("InvalidRequest", "The request does not have the form that the endpoint takes.", "See /docs for the form."),
    429: ("Overloaded", "The service is busy: 812 texts wait, for about 5.3 s.", "Send it again later."),
    503: ("NothingLive", "No model version is live.", "Run `autosort sync`; the service takes it up by itself."),
}

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {
        "model": Problem,
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"example": {"error": error, "message": message, "remedy": remedy}}},
    }
    for status, (error, message, remedy) in _TOLD.items()
}
"""That any endpoint may answer with."""

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `autosort keys add`."},
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same in a header of its own."},
}


def shown(example: Any, media_type: str = "application/json") -> dict[int | str, dict[str, Any]]:  # noqa: ANN401
    """For a route's `responses`: an example of its answer."""
    return {200: {"content": {media_type: {"example": example}}}}


def describe_access(app: FastAPI, addresses: Addresses) -> None:
    """Have the app's description say which key each endpoint needs, where the service demands keys."""
    described: Callable[[], dict[str, Any]] = app.openapi

    def with_access() -> dict[str, Any]:
        document = described()
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                role = addresses.find(method.upper(), path).role
                operation["security"] = [] if role is None else [{name: [role.value]} for name in _SCHEMES]
                operation["x-role"] = role
        return document

    app.openapi = with_access  # type: ignore[method-assign]
