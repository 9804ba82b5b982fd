"""Clients that ask two servers without a pause, in processes of their own, and check every answer."""

import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from lifecycle.matching import answering_of
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.records import Song
from serving.matching import matcher

TEXTS = ["a slow song about a harbour at night", "a loud song for the last hill"]
TOLD = {"title": "Told", "description": TEXTS[0]}
KNOWN = "song-00001"


@dataclass(frozen=True)
class Answer:
    """When a request was answered, by the monotonic clock, after how long, by which version; and what was wrong."""

    at: float
    seconds: float
    version: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Expected:
    """What each version answers: vectors of the texts; and of the two songs the playlists with their scores."""

    vectors: dict[str, npt.NDArray[np.float32]]
    matches: dict[str, list[dict[str, float]]]


def expected_answers(workspace: Workspace, names: Sequence[str]) -> Expected:
    """By each version's own encoder, in this process."""
    vectors, matches = {}, {}
    for name in names:
        with workspace.database.transaction() as connection:
            answering = answering_of(workspace, connection, versions.get(connection, name))
            songs = [*catalogue.songs_by_id(connection, [KNOWN]).values()]
            recorded = matcher.look_up(connection, answering, songs)
        told = Song.model_validate({"song_id": "told", **TOLD})
        vectors[name] = answering.encoder().songs(TEXTS)
        results = matcher.match(answering, [songs[0], told], recorded, top_k=5)
        matches[name] = [{match["playlist_id"]: match["score"] for match in each["matches"]} for each in results]
    return Expected(vectors, matches)


@contextmanager
def running_clients(ports: Sequence[int], clients: int, expected: Expected) -> Iterator[list[Answer]]:
    """The list is filled when the context ends. Half of the clients ask each server."""
    context = multiprocessing.get_context("spawn")
    stop, queue = context.Event(), context.Queue()
    processes = [
        context.Process(target=_ask_from_threads, args=(port, clients // len(ports), expected, stop, queue))
        for port in ports
    ]
    for process in processes:
        process.start()
    answers: list[Answer] = []
    try:
        yield answers
    finally:
        stop.set()
        for _ in processes:
            answers.extend(queue.get(timeout=120))
        for process in processes:
            process.join()


def _ask_from_threads(port: int, clients: int, expected: Expected, stop: Event, queue: "Queue[list[Answer]]") -> None:
    answers: list[Answer] = []
    threads = [threading.Thread(target=_ask, args=(port, n, expected, stop, answers)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put(answers)


def _ask(port: int, number: int, expected: Expected, stop: Event, answers: list[Answer]) -> None:
    newest = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        while not stop.is_set():
            begun = time.monotonic()
            try:
                response = _post(client, number)
            except httpx.HTTPError as error:
                answers.append(Answer(time.monotonic(), time.monotonic() - begun, wrong=repr(error)))
                continue
            at = time.monotonic()
            version, generation = response.headers.get("X-Model-Version", ""), response.headers.get("X-Generation", "0")
            wrong = _fault(response, version, expected) or ("backwards" if int(generation) < newest else "")
            newest = max(newest, int(generation))
            answers.append(Answer(at, at - begun, version, wrong))


def _post(client: httpx.Client, number: int) -> httpx.Response:
    if number % 2:
        return client.post("/embed", json={"inputs": TEXTS})
    return client.post("/match", json={"songs": [{"song_id": KNOWN}, TOLD]})


def _fault(response: httpx.Response, version: str, expected: Expected) -> str:
    if response.status_code != 200:
        return f"{response.status_code} {response.text[:100]}"
    body: Any = response.json()
    if isinstance(body, list):
        return "" if np.allclose(body, expected.vectors[version], atol=1e-3) else f"vectors are not {version}'s"
    if body["model_version"] != version:
        return "header and body name two versions"
    for result, scores in zip(body["results"], expected.matches[version], strict=True):
        found = {match["playlist_id"]: match["score"] for match in result["matches"]}
        if found.keys() != scores.keys() or any(abs(found[each] - scores[each]) > 5e-3 for each in found):
            return f"matches are not {version}'s"
    return ""
