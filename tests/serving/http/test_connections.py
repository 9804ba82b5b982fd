"""Clients that never finish asking, over real sockets: they are told or sent away, and nobody else waits for them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI

from serving.http.connections import PatientProtocol
from serving.http.limits import BodyLimit
from serving.http.problems import install_error_handlers
from tests.support.service import running

PATIENCE = 0.8


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A server that gives headers and bodies so long, and says how long the body was."""
    app = FastAPI()
    app.add_middleware(BodyLimit, most_bytes=100_000, patience_seconds=PATIENCE)
    install_error_handlers(app)

    @app.post("/")
    async def measure(body: Annotated[Any, Body()]) -> int:
        return len(body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PatientProtocol, "header_seconds", PATIENCE)
        with running(app) as client:
            yield client


@pytest.fixture
def connection(client: httpx.Client) -> Iterator[socket.socket]:
    with connected(client) as made:
        yield made


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10)


def answered(connection: socket.socket) -> bytes:
    """All that the server says until it closes the connection."""
    said = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            said += part
    return said


def is_well(client: httpx.Client) -> bool:
    """Whether others are answered meanwhile."""
    return bool(client.post("/", json="four").json() == 4)


def test_a_connection_that_asks_nothing_is_closed(connection: socket.socket) -> None:
    assert answered(connection) == b""


def test_headers_that_do_not_end_are_refused(client: httpx.Client, connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert is_well(client)
    assert answered(connection).startswith(b"HTTP/1.1 408 ")


def test_so_are_those_of_which_a_byte_comes_now_and_then(client: httpx.Client, connection: socket.socket) -> None:
    began = time.monotonic()
    connection.settimeout(0.05)
    connection.sendall(b"POST / HTTP/1.1\r\nX: ")
    said = b""
    while not said and time.monotonic() - began < 20 * PATIENCE:
        with suppress(TimeoutError):
            said = connection.recv(100)
        with suppress(OSError):
            connection.sendall(b"a")
    assert said.startswith(b"HTTP/1.1 408 ")
    assert is_well(client)


def test_so_are_those_of_a_connections_second_request(connection: socket.socket) -> None:
    connection.sendall(
        b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull"[:-4] + b'"ab"'
    )
    assert b"200 OK" in connection.recv(65_536)
    connection.sendall(b"POST / HTTP/1.1\r\nX: ")
    assert b"HTTP/1.1 408 " in answered(connection)


def test_a_body_that_does_not_come_is_refused_and_its_connection_ended(
    client: httpx.Client, connection: socket.socket
) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{")
    assert is_well(client)
    said = answered(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"error":"TooSlow"' in said


def test_so_is_one_of_which_a_byte_comes_now_and_then(connection: socket.socket) -> None:
    began = time.monotonic()
    connection.settimeout(0.05)
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n")
    said = b""
    while not said and time.monotonic() - began < 20 * PATIENCE:
        with suppress(TimeoutError):
            said = connection.recv(100)
        with suppress(OSError):
            connection.sendall(b" ")
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_steadily_may_take_longer_than_that(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n")
    for _ in range(9):
        connection.sendall(b" " * 9_999)
        time.sleep(PATIENCE / 6)
    connection.sendall(b" " * 5 + b'"ab"')
    assert b"200 OK" in connection.recv(65_536)


def test_headers_without_end_are_refused_however_fast_they_come(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\n")
    with suppress(OSError):
        for number in range(100):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
    said = answered(connection)
    assert said == b"" or said.startswith(
        b"HTTP/1.1 431 "
    )  # nothing, if what was still on its way reset the connection


def test_what_is_no_request_is_told_in_the_one_shape_of_errors(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    said = answered(connection)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b'"error":"UnreadableRequest"' in said


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_a_client_that_sends_no_more_is_answered_or_sent_away(
    client: httpx.Client, connection: socket.socket, sent: bytes
) -> None:
    connection.sendall(sent)
    connection.shutdown(socket.SHUT_WR)
    said = answered(connection)
    assert said == b"" or b" 4" in said[:12]
    assert is_well(client)


def test_beside_five_hundred_idle_connections_others_are_answered(client: httpx.Client) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(client)) for _ in range(500)]
        for number, each in enumerate(idle):
            if number % 2:
                with suppress(OSError):  # it has been sent away already
                    each.sendall(b"POST / HTTP/1.1\r\nHost")
        assert is_well(client)
        ended = [answered(each) for each in idle]
    assert {each[:12] for each in ended} <= {b"", b"HTTP/1.1 408"}
    assert is_well(client)


def test_more_connections_than_can_be_held_are_sent_away_at_once(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_well(client)  # which is one connection
    monkeypatch.setattr(PatientProtocol, "most_connections", 1)
    with connected(client) as crowded:
        said = answered(crowded)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in said
    assert client.post("/", json="four").json() == 4
