"""Requests for vectors when the model is busy, fails or is no longer asked: over HTTP, against the real service."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from registry.settings import RegistrySettings
from serving.http.app import create_app
from serving.http.dependencies import encoder_of
from serving.inference.scheduler import Scheduler
from serving.inference.waiting import Matrix, Tokens
from serving.service import Service
from serving.settings import ServingSettings
from tests.support.service import running


@dataclass
class Held:
    """A server whose model waits until it may go on, and fails while it is broken."""

    client: httpx.Client
    scheduler: Scheduler
    go: threading.Event
    begun: threading.Event
    computed: list[int]
    broken: bool = False


@pytest.fixture
def held(own_registry: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    app = create_app(own_registry, ServingSettings(device="cpu", precision="fp32"))
    with running(app) as client:
        service: Service = app.state.service
        made = Held(client, service.scheduler, threading.Event(), threading.Event(), [])
        answering = service.slot.answering
        assert answering is not None
        encoder = encoder_of(answering).encoder
        real = encoder.forward

        def forward(tokens: Sequence[Tokens]) -> Matrix:
            made.begun.set()
            assert made.go.wait(20)
            made.computed.append(len(tokens))
            if made.broken:
                raise RuntimeError("out of memory")
            return real(tokens)

        monkeypatch.setattr(encoder, "forward", forward)
        yield made
        made.go.set()


def in_background(act: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_a_request_whose_client_has_gone_is_not_computed(held: Held) -> None:
    first = in_background(lambda: held.client.post("/embed", json={"inputs": "first"}))
    assert held.begun.wait(20)
    body = json.dumps({"inputs": [f"gone {number}" for number in range(50)]}).encode()
    with socket.create_connection((held.client.base_url.host, held.client.base_url.port or 80)) as gone:
        gone.sendall(
            b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert eventually(lambda: len(held.scheduler._waiting) == 50)
    time.sleep(0.3)
    held.go.set()
    first.join()
    assert held.client.post("/embed", json={"inputs": "second"}).status_code == 200
    assert sum(held.computed) == 2


def test_what_would_wait_too_long_is_refused_with_a_time_to_come_back(held: Held) -> None:
    held.scheduler._longest_wait = 0.001
    threads = [in_background(lambda: held.client.post("/embed", json={"inputs": "first"}))]
    assert held.begun.wait(20)
    threads += [in_background(lambda: held.client.post("/embed", json={"inputs": ["second"] * 9}))]
    assert eventually(lambda: held.scheduler._waiting)
    for path, body in (("/embed", {"inputs": "third"}), ("/match", {"songs": [{"title": "Third"}]})):
        refused = held.client.post(path, json=body)
        assert (refused.status_code, refused.json()["error"]) == (429, "Overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert "third" not in refused.text.lower()
    unread = held.client.post("/embed", content=b"no JSON")
    assert (unread.status_code, unread.headers["X-Model-Version"]) == (429, "v1")
    held.go.set()
    for thread in threads:
        thread.join()


def test_a_server_whose_model_hangs_is_alive_and_not_ready_until_it_comes_back(held: Held) -> None:
    began = time.monotonic()
    hanging = held.client.get("/ready")
    assert (hanging.status_code, hanging.json()["error"]) == (503, "NotReady")
    assert int(hanging.headers["Retry-After"]) >= 1
    assert time.monotonic() - began < 4
    began = time.monotonic()
    assert held.client.get("/ready").status_code == 503
    assert held.client.get("/health").status_code == 200
    assert time.monotonic() - began < 1  # nobody waits for a trial that is known to hang
    held.go.set()
    assert eventually(lambda: held.client.get("/ready").status_code == 200)
    assert held.computed == [1]


def test_one_whose_model_fails_is_not_ready_until_it_works_again(held: Held) -> None:
    held.go.set()
    assert held.client.get("/ready").status_code == 200
    held.broken = True
    held.client.post("/embed", json={"inputs": "fails"})
    assert eventually(lambda: held.client.get("/ready").status_code == 503)
    held.broken = False
    assert held.client.get("/ready").status_code == 200


def test_a_model_that_fails_is_told_and_serving_goes_on(held: Held) -> None:
    held.go.set()
    held.broken = True
    for path, body in (("/embed", {"inputs": "a"}), ("/v1/embeddings", {"input": "b"})):
        failed = held.client.post(path, json=body)
        assert (failed.status_code, failed.json()["error"]) == (503, "InferenceFailed")
        assert failed.headers["Retry-After"] == "1"
        assert "memory" not in failed.text
    held.broken = False
    assert held.client.post("/embed", json={"inputs": "c"}).status_code == 200
