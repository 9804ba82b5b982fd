"""The service on Modal: matches on its web address, and a promotion while requests run."""

import threading
import time
from collections.abc import Callable

import httpx

from lifecycle.workspace import Workspace
from tests.modal_jobs.conftest import Deploy, require_no_secret
from tests.support.command_line import PROMOTE_V2

CLIENTS = 3
ASKED = {"songs": [{"title": "Rain on the roof", "artist": "Nobody"}], "top_k": 3}


def test_a_promotion_while_requests_run_fails_none(deploy: Deploy, trained: Workspace) -> None:
    plane, autosort = deploy(trained.settings)
    key = autosort.run("keys", "add", "app", "--role", "read").document["key"]
    autosort.run("sync")  # sends the versions that could serve

    answers: list[httpx.Response] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=120, headers={"Authorization": f"Bearer {key}"}) as client:
            while not stop.is_set():
                answers.append(client.post(f"{plane.web}/serve/match", json=ASKED))

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        _wait_for(lambda: len(answers) >= CLIENTS)
        assert autosort.run(*PROMOTE_V2).document["live"] == "v2"
        moved_at = len(answers)
        _wait_for(lambda: len(answers) >= moved_at + 5 * CLIENTS)
    finally:
        stop.set()
        for client in clients:
            client.join()

    assert {answer.status_code for answer in answers} == {200}
    told = [(answer.headers["X-Model-Version"], answer.json()["model_version"]) for answer in answers]
    assert all(header == body for header, body in told)
    assert told[0][0] == "v1"
    assert told[-1][0] == "v2"
    unknown = httpx.post(f"{plane.web}/serve/match", json=ASKED, timeout=120)
    assert unknown.status_code == 401
    assert trained.settings.database_url is not None
    require_no_secret(plane, key, trained.settings.database_url.get_secret_value())


def _wait_for(condition: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
