"""What nobody foresaw: answered in the one shape of errors, with who answered, and without a word of why."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from registry.errors import ArtifactError, DatabaseError, DatabaseUnavailable, NotFound, SchemaOutdated
from serving.http.answering import AnsweringMiddleware
from serving.http.problems import install_error_handlers
from serving.versions.slot import Standing
from serving.versions.traffic import Traffic

PRIVATE = "db.internal:5432 /srv/private"


def answer_of(failure: Exception) -> httpx.Response:
    """What a service says whose only endpoint fails like this."""
    app = FastAPI()
    app.add_middleware(AnsweringMiddleware)
    install_error_handlers(app)
    live = SimpleNamespace(version=SimpleNamespace(version="v3"), generation=7)
    slot = SimpleNamespace(standing=Standing(live))  # type: ignore[arg-type]
    app.state.service = SimpleNamespace(slot=slot, traffic=Traffic())

    @app.get("/")
    def fail() -> None:
        raise failure

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/")

    return asyncio.run(ask())


@pytest.mark.parametrize("failure", [RuntimeError(PRIVATE), MemoryError(), OSError(2, PRIVATE), KeyError(PRIVATE)])
def test_whatever_a_library_throws_is_answered(failure: Exception) -> None:
    response = answer_of(failure)
    assert response.status_code == 500
    assert set(response.json()) == {"error", "message", "remedy"}
    assert PRIVATE not in response.text
    assert (response.headers["X-Model-Version"], response.headers["X-Generation"]) == ("v3", "7")


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (DatabaseUnavailable(f"The database {PRIVATE} cannot be reached."), 503),
        (SchemaOutdated(f"The schema of {PRIVATE} is not this build's."), 500),
        (DatabaseError(f"Postgres refused: {PRIVATE}."), 500),
    ],
)
def test_where_the_database_is_stays_private(failure: DatabaseError, status: int) -> None:
    response = answer_of(failure)
    assert response.status_code == status
    assert response.json()["error"] == type(failure).__name__
    assert PRIVATE not in response.text
    assert ("Retry-After" in response.headers) == (status == 503)


@pytest.mark.parametrize(("failure", "status"), [(NotFound("Gone.", "Look."), 404), (ArtifactError("Gone."), 500)])
def test_the_toolkits_other_errors_say_what_is_the_case(failure: Exception, status: int) -> None:
    response = answer_of(failure)
    assert response.status_code == status
    assert response.json()["message"] == "Gone."
