"""Telling people of what happened by itself: one POST of a JSON document to each webhook that is configured."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

_log = logging.getLogger(__name__)

_ATTEMPTS = 4
_TIMEOUT_SECONDS = 5.0


def notify(webhooks: Sequence[SecretStr], event: str, document: Mapping[str, Any]) -> list[bool]:
    """Post `{"event": ..., **document}` to every webhook; whether each took it, in their order.

    A webhook that fails is tried again a few times. None is named in the log: their addresses are secrets.
    """
    return [_post(number, webhook, {"event": event, **document}) for number, webhook in enumerate(webhooks, start=1)]


def _post(number: int, webhook: SecretStr, body: Mapping[str, Any]) -> bool:
    again = Retrying(
        retry=retry_if_exception_type(httpx2.HTTPError),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_attempt(_ATTEMPTS),
        reraise=True,
    )
    try:
        again(_post_once, webhook, body)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # The error's own text may hold the address.
        _log.warning("Webhook %d was not told of %s: %s", number, body["event"], type(error).__name__)
        return False
    return True


def _post_once(webhook: SecretStr, body: Mapping[str, Any]) -> None:
    httpx2.post(webhook.get_secret_value(), json=body, timeout=_TIMEOUT_SECONDS).raise_for_status()
