"""Webhooks: each is told once, whatever becomes of the others, and none is named."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from lifecycle import notification
from lifecycle.notification import notify
from tests.support.receiver import Receiver


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
