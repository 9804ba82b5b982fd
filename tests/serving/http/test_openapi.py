"""The service's own description: complete, and every example in it true."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from registry.settings import RegistrySettings
from serving.http.app import ROUTERS, create_app
from serving.schemas import Problem
from serving.settings import ServingSettings
from tests.support.service import running

_ERRORS = {"401", "403", "408", "413", "422", "429", "503"}
_IDS = {"song_id": "song-1", "playlist_id": "late-harbour"}
_OPEN = {"/health", "/ready", "/live"}


@dataclass(frozen=True)
class Operation:
    """An endpoint: its route, and what the description says of it."""

    method: str
    path: str
    route: APIRoute
    told: dict[str, Any]


@pytest.fixture(scope="module")
def app(own_registry: RegistrySettings) -> FastAPI:
    return create_app(own_registry, ServingSettings(device="cpu", precision="fp32"))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with running(app) as client:
        yield client


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        Operation(method, route.path_format, route, document["paths"][route.path_format][method.lower()])
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def test_every_endpoint_says_what_it_is_for_and_how_it_may_fail(operations: list[Operation]) -> None:
    assert len(operations) >= 10
    for each in operations:
        assert each.told["summary"], each.path
        assert len(each.told["description"]) > 10, each.path
        assert each.told["tags"], each.path
        assert set(each.told["responses"]) >= _ERRORS, each.path


def test_every_endpoint_says_which_key_it_needs(document: dict[str, Any], operations: list[Operation]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    for each in operations:
        assert (each.told["security"] == []) == (each.path in _OPEN), each.path
        assert each.told["x-role"] == _role(each), each.path


def test_every_example_of_an_error_is_a_problem(operations: list[Operation]) -> None:
    for each in operations:
        for status, response in each.told["responses"].items():
            if int(status) >= 400:
                Problem.model_validate(response["content"]["application/json"]["example"])


def test_every_example_of_an_answer_has_the_form_that_is_promised(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    for each in operations:
        if "204" in each.told["responses"]:
            continue
        (media,) = each.told["responses"]["200"]["content"].values()
        examples = _examples(document, media)
        assert examples, each.path
        for example in examples:
            if each.route.response_model is not None:
                TypeAdapter(each.route.response_model).validate_python(example)


def test_every_example_of_a_request_is_answered_in_the_form_that_is_promised(
    client: httpx.Client, document: dict[str, Any], operations: list[Operation]
) -> None:
    # What is added by one is deleted by another: that comes last.
    for each in sorted(operations, key=lambda operation: operation.method == "DELETE"):
        bodies = [None]
        if "requestBody" in each.told:
            bodies = _examples(document, each.told["requestBody"]["content"]["application/json"])
            assert bodies, each.path
        for body in bodies:
            response = client.request(each.method, each.path.format(**_IDS), json=body)
            # The small library's versions may have no reranker and no emotion model.
            optional = "rerank" in each.path or each.path in {"/emotions", "/predict"}
            expected = {200, 201, 204} | ({409} if optional else set())
            assert response.status_code in expected, (each.path, response.text)
            if each.route.response_model is not None and response.status_code < 400:
                TypeAdapter(each.route.response_model).validate_python(response.json())


def test_the_description_can_be_had_and_read(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json()["info"]["title"] == "Auto-Sort"
    assert "openapi.json" in client.get("/docs").text


def _role(operation: Operation) -> str | None:
    """Written down once more here: a route that changes something and forgets to say so is found."""
    if operation.path in _OPEN:
        return None
    if operation.path == "/metrics":
        return "admin"
    changes = operation.method in {"PUT", "DELETE"} or operation.path in {"/songs:embed", "/feedback"}
    return "write" if changes else "read"


def _examples(document: dict[str, Any], media: dict[str, Any]) -> list[Any]:
    """The examples of a body: its own, or its schema's."""
    if "example" in media:
        return [media["example"]]
    found: list[Any] = []
    for schema in media["schema"].get("anyOf", [media["schema"]]):
        if "$ref" in schema:
            found += document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]].get("examples", [])
    return found
