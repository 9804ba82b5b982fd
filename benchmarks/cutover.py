"""Requests that fail, or mix versions, while the pointer moves; and how long a move takes to be answered.

    python -m benchmarks.cutover [--moves 20] [--clients 8]

Serves the sample library, lets clients ask /embed and /match without pause, and promotes and rolls back in turn.
Prints the counts, the time from typing the command to the first answer by the other version, and p50 and p99 of the
requests in quiet and while moving.
"""

import argparse
import subprocess
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks.support import AUTOSORT, autosort, environment

URL = "http://127.0.0.1:8971"
TEXTS = ["a slow song about a harbour at night", "a loud song for the last hill"]


@dataclass
class Tally:
    """What the clients saw."""

    failed: list[str] = field(default_factory=list)
    mixed: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    quiet: list[float] = field(default_factory=list)
    moving: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        autosort(home, "demo")
        server = subprocess.Popen([str(AUTOSORT), "serve", "--port", "8971"], env=environment(home))
        try:
            measure(home, arguments.moves, arguments.clients)
        finally:
            server.terminate()
            server.wait()


def measure(home: Path, moves: int, clients: int) -> None:
    wait_for("v1")
    tally, moving, stop = Tally(), threading.Event(), threading.Event()
    threads = [threading.Thread(target=ask, args=(n, tally, moving, stop)) for n in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(10)
    took = []
    for move in range(moves):
        version, command = ("v2", "promote") if move % 2 == 0 else ("v1", "rollback")
        begun = time.perf_counter()
        moving.set()
        autosort(home, command, version)
        wait_for(version)
        took.append(time.perf_counter() - begun)
        time.sleep(1)
        moving.clear()
        time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    total = sum(tally.answers.values())
    print(f"\n{moves} moves under {clients} clients: {total} answers, by version {dict(tally.answers)}")
    print(f"failed requests: {len(tally.failed)} {tally.failed[:3]}; answers that mix versions: {tally.mixed}")
    print(f"command typed to first answer by the other version: median {median(took):.2f} s, most {max(took):.2f} s")
    quiet, busy = (quantiles(times, n=100) for times in (tally.quiet, tally.moving))
    print(f"request p50: quiet {quiet[49] * 1e3:.0f} ms, moving {busy[49] * 1e3:.0f} ms; ", end="")
    print(f"p99: {quiet[98] * 1e3:.0f} ms, {busy[98] * 1e3:.0f} ms, ratio {busy[98] / quiet[98]:.2f}")


def ask(number: int, tally: Tally, moving: threading.Event, stop: threading.Event) -> None:
    with httpx.Client(base_url=URL, timeout=60) as client:
        while not stop.is_set():
            begun, was_moving = time.perf_counter(), moving.is_set()
            try:
                answer = post(client, number)
            except httpx.HTTPError as error:
                tally.failed.append(repr(error))
                continue
            (tally.moving if was_moving else tally.quiet).append(time.perf_counter() - begun)
            note(answer, tally)


def post(client: httpx.Client, number: int) -> httpx.Response:
    if number % 2:
        return client.post("/embed", json={"inputs": TEXTS})
    return client.post("/match", json={"songs": [{"song_id": "song-00001"}, {"title": TEXTS[0]}]})


VECTORS: dict[str, list[float]] = {}


def note(answer: httpx.Response, tally: Tally) -> None:
    if answer.status_code != 200:
        tally.failed.append(f"{answer.status_code} {answer.text[:100]}")
        return
    version = answer.headers["X-Model-Version"]
    tally.answers[version] += 1
    body = answer.json()
    if isinstance(body, dict):
        tally.mixed += body["model_version"] != version
    else:
        known = VECTORS.setdefault(version, body[0])
        tally.mixed += max(abs(a - b) for a, b in zip(known, body[0], strict=True)) > 1e-3


def wait_for(version: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{URL}/live").json().get("model_version") == version:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise TimeoutError(version)


if __name__ == "__main__":
    main()
