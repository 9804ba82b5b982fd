"""Webhooks: each is told once, whatever becomes of the others, and none is named."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from lifecycle import notification
from lifecycle.notification import notify


class Receiver:
    """A real HTTP server that keeps what it is told, and refuses as often as it is to."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.refusals = 0
        self.asked = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                refused = receiver.asked <= receiver.refusals
                if not refused:
                    receiver.told.append(json.loads(body))
                self.send_response(503 if refused else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self._server.server_port}/secret-token")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_every_webhook_is_told(receiver: Receiver) -> None:
    assert notify([receiver.url, receiver.url], "rolled_back", {"version": "v2"}) == [True, True]
    assert receiver.told == [{"event": "rolled_back", "version": "v2"}] * 2


def test_one_that_refuses_is_asked_again(receiver: Receiver) -> None:
    receiver.refusals = 2
    assert notify([receiver.url], "rolled_back", {}) == [True]
    assert receiver.asked == 3


def test_one_that_cannot_be_told_keeps_nothing_from_the_others_and_is_not_named(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification, "_ATTEMPTS", 2)
    dead, absurd = SecretStr("http://127.0.0.1:9/secret-token"), SecretStr("no-address://secret-token")
    assert notify([dead, absurd, receiver.url], "rolled_back", {}) == [False, False, True]
    assert "Webhook 1 was not told" in caplog.text
    assert "secret-token" not in caplog.text


def test_without_webhooks_nobody_is_told() -> None:
    assert notify([], "rolled_back", {}) == []
