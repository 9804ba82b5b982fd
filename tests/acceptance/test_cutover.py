"""Promote and roll back under constant requests: none fails, and none is answered by two versions."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import numpy as np
import numpy.typing as npt

from lifecycle.workspace import Workspace
from registry import versions
from tests.support.command_line import PROMOTE_V2, CommandLine
from tests.support.service import served

Matrix = npt.NDArray[np.float32]

TEXTS = ["a slow song about a harbour at night", "a loud song for the last hill", "no words, only strings"]
CLIENTS = 8
MOVES = 2


@dataclass
class Seen:
    """What one client saw: of each answer its version and generation, and whatever was wrong."""

    answers: list[tuple[str, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def test_no_request_fails_or_mixes_versions_while_the_pointer_moves(
    trained_autosort: CommandLine, trained: Workspace
) -> None:
    expected = _vectors_by_version(trained)
    stop = threading.Event()
    seen = [Seen() for _ in range(CLIENTS)]
    with served(trained_autosort) as one, served(trained_autosort) as other:
        urls = (one, other)
        clients = [
            threading.Thread(target=_ask, args=(urls[number // 2 % 2], number, expected, seen[number], stop))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        try:
            for _ in range(MOVES):
                _move_and_wait(trained_autosort, urls, PROMOTE_V2)
                _move_and_wait(trained_autosort, urls, ("rollback", "v1"))
        finally:
            stop.set()
            for client in clients:
                client.join()

    assert [wrong for each in seen for wrong in each.wrong] == []
    answers = [answer for each in seen for answer in each.answers]
    assert {version for version, _ in answers} == {"v1", "v2"}
    assert {generation for _, generation in answers} >= set(range(2, 2 * MOVES + 2))
    for each in seen:
        generations = [generation for _, generation in each.answers]
        assert generations == sorted(generations), "a client was answered by an older generation than before"
    status = trained_autosort.run("status").document
    assert (status["live"], status["generation"]) == ("v1", 2 * MOVES + 1)


def _move_and_wait(line: CommandLine, urls: Sequence[str], command: tuple[str, ...]) -> None:
    """Move the pointer, wait until the servers follow, and let the clients ask for a while."""
    generation = line.run(*command).document["generation"]
    deadline = time.monotonic() + 30
    for url in urls:
        while httpx.get(f"{url}/live").json() != {"model_version": command[1], "generation": generation}:
            assert time.monotonic() < deadline, f"{url} did not follow to {command[1]}"
            time.sleep(0.05)
    time.sleep(0.5)


def _ask(url: str, number: int, expected: dict[str, Matrix], seen: Seen, stop: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        while not stop.is_set():
            try:
                (_embed if number % 2 else _match)(client, expected, seen)
            except httpx.HTTPError as error:
                seen.wrong.append(f"request failed: {error!r}")


def _embed(client: httpx.Client, expected: dict[str, Matrix], seen: Seen) -> None:
    response = client.post("/embed", json={"inputs": TEXTS})
    version = _note(response, seen)
    if version and not np.allclose(np.array(response.json()), expected[version], atol=1e-4):
        seen.wrong.append(f"/embed said {version} but its vectors are another version's")


def _match(client: httpx.Client, expected: dict[str, Matrix], seen: Seen) -> None:
    del expected
    songs = [{"song_id": "song-00001"}, {"title": "Told", "description": TEXTS[0]}]
    response = client.post("/match", json={"songs": songs})
    version = _note(response, seen)
    body = response.json()
    if version and (body["model_version"], str(body["generation"])) != (version, response.headers["X-Generation"]):
        seen.wrong.append("the body and the headers of /match name different versions")


def _note(response: httpx.Response, seen: Seen) -> str | None:
    if response.status_code != 200:
        seen.wrong.append(f"{response.status_code}: {response.text[:200]}")
        return None
    version = response.headers["X-Model-Version"]
    seen.answers.append((version, int(response.headers["X-Generation"])))
    return version


def _vectors_by_version(workspace: Workspace) -> dict[str, Matrix]:
    """The test's texts as each version's own encoder sees them; they must differ for the test to mean anything."""
    with workspace.database.transaction() as connection:
        specs = {name: versions.get(connection, name).spec.embedder for name in ("v1", "v2")}
    vectors = {name: workspace.load_encoder(spec).songs(TEXTS) for name, spec in specs.items()}
    assert not np.allclose(vectors["v1"], vectors["v2"], atol=1e-2)
    return vectors


def test_a_server_started_before_anything_is_live_takes_the_first_version_up(
    autosort: CommandLine, small_library: object
) -> None:
    with served(autosort) as url:
        waiting = httpx.get(f"{url}/ready")
        assert waiting.status_code == 503
        assert waiting.headers["Retry-After"]
        autosort.run("import", str(small_library))
        autosort.run("sync")
        deadline = time.monotonic() + 30
        while httpx.get(f"{url}/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert httpx.get(f"{url}/live").json() == {"model_version": "v1", "generation": 1}


def test_commands_run_while_the_embedded_default_serves(embedded_autosort: CommandLine, small_library: object) -> None:
    embedded_autosort.run("import", str(small_library))
    with served(embedded_autosort):
        embedded_autosort.run("sync")
        for command in (("status",), ("history",), ("match", "song-00001"), ("reembed", "v1")):
            embedded_autosort.run(*command)
    assert embedded_autosort.run("status").document["live"] == "v1"
