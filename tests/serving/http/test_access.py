"""Who may ask for what: over HTTP, from a real server with keys."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import AuthenticationError, OpenAI

from registry import api_keys
from registry.api_keys import Role
from registry.database import open_database
from registry.settings import RegistrySettings
from serving.http.access import shown_key
from tests.support.service import serving

WRONG = f"autosort_{'0' * 64}"


@pytest.fixture(scope="module")
def keys(own_registry: RegistrySettings) -> dict[str, str]:
    """A key of each role."""
    with open_database(own_registry) as database, database.transaction() as connection:
        return {role.value: api_keys.add(connection, role.value, role, actor="test")[1] for role in Role}


@pytest.fixture(scope="module")
def client(own_registry: RegistrySettings, keys: dict[str, str]) -> Iterator[httpx.Client]:  # noqa: ARG001 - first the keys
    with serving(own_registry) as client:
        yield client


def status(client: httpx.Client, method: str, path: str, key: str | None = None, body: Any = None) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return client.request(method, path, json=body, headers=headers).status_code


@pytest.mark.parametrize("path", ["/health", "/ready", "/live", "/openapi.json", "/docs"])
def test_what_watches_needs_no_key(client: httpx.Client, path: str) -> None:
    assert status(client, "GET", path) == 200
    assert status(client, "GET", path, WRONG) == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/embed", {"inputs": "a"}),
        ("POST", "/match", {"songs": [{"title": "a"}]}),
        ("POST", "/tokenize", {"inputs": "a"}),
        ("POST", "/v1/embeddings", {"input": "a"}),
        ("GET", "/v1/models", None),
        ("GET", "/info", None),
    ],
)
def test_reading_needs_any_key(
    client: httpx.Client, keys: dict[str, str], method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert [status(client, method, path, key, body) for key in (None, WRONG)] == [401, 401]
    assert [status(client, method, path, key, body) for key in keys.values()] == [200, 200, 200]


def test_what_is_about_the_server_needs_an_admins_key(client: httpx.Client, keys: dict[str, str]) -> None:
    assert [status(client, "GET", "/metrics", key) for key in keys.values()] == [403, 403, 200]
    assert [status(client, "GET", "/metrics", key) for key in (None, WRONG)] == [401, 401]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("DELETE", "/embed"), ("POST", "/embed/"), ("GET", "//metrics")]
)
def test_an_address_that_does_not_exist_is_told_to_those_with_a_key(
    client: httpx.Client, keys: dict[str, str], method: str, path: str
) -> None:
    assert status(client, method, path) == 401
    assert status(client, method, path, keys["read"]) in {307, 404, 405}


def test_a_refusal_says_what_is_missing_in_the_one_shape_and_who_would_have_answered(
    client: httpx.Client, keys: dict[str, str]
) -> None:
    unknown = client.get("/info", headers={"X-Api-Key": WRONG})
    assert set(unknown.json()) == {"error", "message", "remedy"}
    assert (unknown.json()["error"], unknown.headers["WWW-Authenticate"]) == ("KeyNeeded", 'Bearer realm="autosort"')
    refused = client.get("/metrics", headers={"X-Api-Key": keys["read"]})
    assert refused.json()["message"] == "This address needs a key that may admin; this one may read."
    for response in (unknown, refused):
        assert (response.headers["X-Model-Version"], response.headers["X-Generation"]) == ("v1", "1")
        assert WRONG not in response.text
        assert keys["read"] not in response.text


def test_no_key_and_a_wrong_one_are_answered_alike(client: httpx.Client) -> None:
    without, wrong = client.get("/info"), client.get("/info", headers={"X-Api-Key": WRONG})
    assert without.content == wrong.content


def test_whoever_may_not_ask_is_told_before_the_body_is_sent(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=5) as connection:
        connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_version_is_not_loaded_for_somebody_without_a_key(client: httpx.Client, keys: dict[str, str]) -> None:
    response = client.get("/info", headers={"X-Model-Version": "v99"})
    assert response.status_code == 401
    asked = {"X-Model-Version": "v99", "X-Api-Key": keys["read"]}
    assert client.get("/info", headers=asked).status_code == 404


def test_openais_client_shows_its_key_as_it_always_does(client: httpx.Client, keys: dict[str, str]) -> None:
    with OpenAI(base_url=f"{client.base_url}/v1", api_key=keys["read"], max_retries=0) as known:
        assert known.embeddings.create(model="live", input="rain").data
    with (
        OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as unknown,
        pytest.raises(AuthenticationError),
    ):
        unknown.embeddings.create(model="live", input="rain")


def test_a_key_is_taken_up_and_given_up_within_a_second(client: httpx.Client, own_registry: RegistrySettings) -> None:
    with open_database(own_registry) as database:
        with database.transaction() as connection:
            key = api_keys.add(connection, "passing", Role.READ, actor="test")[1]
        assert _within_a_second(lambda: status(client, "GET", "/info", key) == 200)
        with database.transaction() as connection:
            api_keys.revoke(connection, "passing", actor="test")
        assert _within_a_second(lambda: status(client, "GET", "/info", key) == 401)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], b""),
        ([(b"authorization", b"Bearer abc")], b"abc"),
        ([(b"authorization", b"bearer  abc ")], b"abc"),
        ([(b"authorization", b"Basic abc")], b""),
        ([(b"authorization", b"Bearer")], b""),
        ([(b"x-api-key", b"abc")], b"abc"),
        ([(b"x-api-key", b"abc"), (b"authorization", b"Bearer def")], b"def"),
        ([(b"authorization", b"Basic def"), (b"x-api-key", b"abc")], b"abc"),
    ],
)
def test_where_a_key_may_stand(headers: list[tuple[bytes, bytes]], key: bytes) -> None:
    assert shown_key(headers) == key


def _within_a_second(condition: Any) -> bool:
    """With a second more for a machine that is busy with other tests."""
    deadline = time.monotonic() + 2
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())
