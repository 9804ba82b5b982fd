"""Promotions and rollbacks under constant requests to two servers: failures, mixed answers, and how long a move takes.

    python -m benchmarks.cutover [--moves 100] [--clients 16] [--rollbacks 10]

Serves the sample library with two server processes. First, clients that never pause ask /embed and /match while the
pointer is promoted and rolled back in turn; each answer is checked against the version that it names. Then, under one
client that asks now and then, rollbacks are timed from the start of the command to the first answer by the old version
on each server: with it warm on both, and with a version that no server holds. Prints the counts, p50 and p99 of the
requests in quiet and in the 5 s around a move, for how long the pointer's row was locked, and those times.
"""

import argparse
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np

from benchmarks.cutover_clients import Answer, Expected, expected_answers, running_clients
from benchmarks.support import AUTOSORT, environment
from lifecycle.workspace import Workspace, open_workspace
from registry import versions
from registry.settings import RegistrySettings

PORTS = (8971, 8972)
AROUND_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rollbacks", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run(home, "demo")
        with open_workspace(RegistrySettings.model_validate({"AUTOSORT_HOME": home})) as workspace:
            expected = expected_answers(workspace, ("v1", "v2"))
            with servers(home):
                under_load(home, expected, arguments.moves, arguments.clients)
                warm_rollbacks(home, arguments.rollbacks)
                cold_rollback(home, workspace)


def under_load(home: Path, expected: Expected, moves: int, clients: int) -> None:
    """Many moves while clients ask without a pause."""
    moved_at: list[float] = []
    busy: list[tuple[float, float]] = []
    locked: list[float] = []
    with running_clients(PORTS, clients, expected) as answers:
        time.sleep(10)
        for move in range(moves):
            command = ("promote", "v2", "--force", "--reason", "a benchmark") if move % 2 == 0 else ("rollback", "v1")
            begun = time.monotonic()
            done = run(home, *command, "--wait")
            busy.append((begun, time.monotonic()))
            slowest = max(done["servers"]["seconds"].values())
            moved_at.append(time.monotonic() - slowest)
            locked.append(done["locked_ms"])
            time.sleep(AROUND_SECONDS + 2 if move % 10 == 9 else 0.5)
    report(answers, moved_at, busy, locked)


def report(answers: list[Answer], moved_at: list[float], busy: list[tuple[float, float]], locked: list[float]) -> None:
    wrong = [answer.wrong for answer in answers if answer.wrong]
    by_version = {name: sum(answer.version == name for answer in answers) for name in ("v1", "v2")}
    print(f"\n{len(moved_at)} moves, 2 servers: {len(answers)} answers, by version {by_version}")
    print(f"failed, mixed or backwards: {len(wrong)} {wrong[:3]}")
    around = [a.seconds for a in answers if any(abs(a.at - moved) <= AROUND_SECONDS / 2 for moved in moved_at)]
    quiet = [a.seconds for a in answers if all(a.at < b - 0.5 or a.at > e + AROUND_SECONDS for b, e in busy)]
    for name, times in (("quiet", quiet), (f"in the {AROUND_SECONDS:.0f} s around a move", around)):
        p50, p99 = np.quantile(times, [0.5, 0.99]) * 1e3
        print(f"{name}: {len(times)} answers, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    ratio = np.quantile(around, 0.99) / np.quantile(quiet, 0.99)
    print(f"p99 around a move against quiet: {ratio:.2f} times (promised at most 2)")
    print(f"pointer's row locked: median {median(locked):.1f} ms, most {max(locked):.1f} ms (promised at most 10)")


def warm_rollbacks(home: Path, count: int) -> None:
    """Rollbacks with the old version warm, from the start of the command to the first answer on each server."""
    took = []
    for _ in range(count):
        run(home, "promote", "v2", "--force", "--reason", "a benchmark", "--wait")
        time.sleep(2)
        took.append(timed_rollback(home, "v1"))
    print(
        f"rollback, warm, command to first answer on both servers: median {median(took):.2f} s, most {max(took):.2f} s"
    )
    print("(promised at most 1 s)")


def cold_rollback(home: Path, workspace: Workspace) -> None:
    """A rollback to a version that no server holds: two versions go live after it."""
    run(home, "promote", "v2", "--force", "--reason", "a benchmark", "--wait")
    run(home, "retrain", "--seed", "1", "--epochs", "1")
    run(home, "promote", "v3", "--force", "--reason", "a benchmark", "--wait")
    time.sleep(5)
    took = timed_rollback(home, "v1")
    with workspace.database.transaction() as connection:
        spec = versions.get(connection, "v1").spec.embedder
    begun = time.monotonic()
    workspace.load_encoder(spec)
    print(
        f"rollback, cold: {took:.2f} s; loading the model alone takes {time.monotonic() - begun:.2f} s here, once more"
    )


def timed_rollback(home: Path, version: str) -> float:
    """Seconds from the start of the command until every server has answered with the version."""
    first: dict[int, float] = {}
    stop = threading.Event()

    def ask(port: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            while not stop.is_set() and port not in first:
                answer = client.post("/match", json={"songs": [{"song_id": "song-00001"}]})
                if answer.headers["X-Model-Version"] == version:
                    first[port] = time.monotonic()
                time.sleep(0.02)

    threads = [threading.Thread(target=ask, args=(port,)) for port in PORTS]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    run(home, "rollback", version)
    for thread in threads:
        thread.join(60)
    stop.set()
    return max(first.values()) - begun


def run(home: Path, *command: str) -> Any:  # noqa: ANN401
    done = subprocess.run(
        [str(AUTOSORT), *command, "--json"], env=environment(home), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command}: {done.stdout} {done.stderr}")
    return json.loads(done.stdout)


@contextmanager
def servers(home: Path) -> Iterator[None]:
    started = [
        subprocess.Popen(
            [str(AUTOSORT), "serve", "--port", str(port)], env=environment(home, AUTOSORT_PRECISION="fp32")
        )
        for port in PORTS
    ]
    try:
        for port in PORTS:
            wait_until_ready(port)
        yield
    finally:
        for server in started:
            server.terminate()
        for server in started:
            server.wait()


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError(port)


if __name__ == "__main__":
    main()
