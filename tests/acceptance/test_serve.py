"""`autosort serve` as it is run: what it logs, and how it ends."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from lifecycle.workspace import Workspace
from registry import api_keys, servers
from registry.api_keys import Role
from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine, environment
from tests.support.service import free_port

MARKER = "what-nobody-else-may-read"
GRACE = 1.5


@dataclass
class Serving:
    """A server in a process of its own, and a client whose key it knows."""

    process: subprocess.Popen[str]
    client: httpx.Client
    key: str

    def ended(self) -> tuple[int, list[str]]:
        """The exit code and the lines of the log, once it has ended."""
        _, told = self.process.communicate(timeout=60)
        return self.process.returncode, told.splitlines()


@pytest.fixture
def serving(trained: Workspace, trained_settings: RegistrySettings) -> Iterator[Serving]:
    with trained.database.transaction() as connection:
        _, key = api_keys.add(connection, "app", Role.READ, actor="test")
    assert trained_settings.database_url is not None
    variables = {"DATABASE_URL": trained_settings.database_url.get_secret_value(), "AUTOSORT_DRAIN_SECONDS": str(GRACE)}
    line = CommandLine(environment(AUTOSORT_HOME=str(trained_settings.home), **variables))
    port = free_port()
    process = line.start("serve", "--port", str(port), "--log-format", "json")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-Api-Key": key}, timeout=60) as client:
        _wait_until_ready(process, client)
        yield Serving(process, client, key)
    process.kill()
    process.communicate()


def test_a_server_that_is_told_to_end_answers_what_it_was_asked_and_logs_nothing_of_it(
    serving: Serving, trained: Workspace
) -> None:
    client = serving.client
    _ask_with_markers(client)
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(client.post, "/embed", json={"inputs": _texts(0, 150)})
        time.sleep(0.2)
        assert not large.done()
        serving.process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        statuses, ready = [], []
        while time.monotonic() - told < GRACE - 0.4:
            statuses.append(client.post("/embed", json={"inputs": [MARKER]}).status_code)  # whose vector is known
            ready.append(client.get("/ready"))
        assert set(statuses) == {200}
        assert {each.status_code for each in ready[1:]} == {503}
        assert ready[-1].json()["error"] == "NotReady"
        assert ready[-1].headers["Connection"] == "close"
        assert large.result().status_code == 200
    code, lines = serving.ended()
    assert code == 0
    with trained.database.transaction() as connection:
        assert servers.list_alive(connection) == []
    _check_log(lines, serving.key)


def _ask_with_markers(client: httpx.Client) -> None:
    """Well and badly, with the marker in every place that a client can write in."""
    ask = client.post
    for body in ({"inputs": [MARKER]}, {"inputs": [MARKER, 7]}, {MARKER: MARKER}, [MARKER], {"inputs": MARKER * 9_999}):
        ask("/embed", json=body)
    ask("/match", json={"songs": [{"title": MARKER, "description": MARKER}]})
    ask("/match", json={"songs": [{"song_id": MARKER}]})
    ask("/embed", content=f'{{"inputs": "{MARKER}', headers={"Content-Type": "application/json"})
    ask("/embed", content=MARKER.encode() + b"\xff", headers={"Content-Type": f"text/{MARKER}"})
    ask(f"/{MARKER}?{MARKER}={MARKER}")
    client.get(f"/live?token={MARKER}", headers={"X-User-Id": MARKER, "User-Agent": MARKER, "Cookie": MARKER})
    client.get("/info", headers={"X-Model-Version": MARKER})
    client.get("/info", headers={"X-Request-Id": f"{MARKER}/"})
    client.get("/info", headers={"X-Api-Key": MARKER})
    client.get("/info", headers={"Authorization": f"Bearer {MARKER}"})


def _check_log(lines: list[str], key: str) -> None:
    whole = "\n".join(lines)
    assert MARKER not in whole
    assert key not in whole
    told = [json.loads(line) for line in lines]
    requests: list[dict[str, Any]] = [each for each in told if each["message"] == "request"]
    assert len(requests) > 20
    assert {each["path"] for each in requests} == {"/embed", "/match", "/live", "/info", "(unknown)", "/ready"} - {
        "/live"
    }
    assert all(len(each["request_id"]) == 32 and each["seconds"] > 0 for each in requests)
    answered = next(each for each in requests if each["path"] == "/match")
    assert {name: answered[name] for name in ("method", "status", "model_version", "generation", "key", "error")} == {
        "method": "POST",
        "status": 200,
        "model_version": "v1",
        "generation": 1,
        "key": "app",
        "error": None,
    }
    assert {each["error"] for each in requests if each["status"] == 401} == {"KeyNeeded"}


def _texts(seed: int, number: int) -> list[str]:
    return [f"{MARKER} {seed} {each} " + "a slow song about a harbour at night " * 5 for each in range(number)]


def _wait_until_ready(process: subprocess.Popen[str], client: httpx.Client) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            if client.get("/ready").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server was not ready in two minutes")
