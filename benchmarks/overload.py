"""Twice as many requests as the server can answer, for as long as one likes.

    python -m benchmarks.overload [--minutes 10] [--precision fp32]

First 32 clients that never pause show what the server can do: texts a second, each its own request. Then requests come
at twice that rate, whether earlier ones were answered or not, every text once, so that no cache helps. Printed are what
was answered (nothing but 200 and 429 is promised), the texts a second that were answered against what the server could
do alone, how long the answered ones and the refused ones took, and the memory at the end of each tenth of the time. At
the end the load stops, once as clients do that go away and once as clients that wait on; printed is how long after that
a request is again answered in twice the time of a quiet server.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import psutil

from benchmarks.cutover import run
from benchmarks.embedding_server import PORT, server, texts
from benchmarks.http_client import Connection

TIMES = 2.0
MIB = 2**20


@dataclass
class Seen:
    """Statuses, seconds that each of them took, and the server's memory in MiB at the end of each tenth."""

    statuses: Counter[int | str] = field(default_factory=Counter)
    took: dict[int, list[float]] = field(default_factory=dict)
    answered_in: Counter[int] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--precision", default="fp32")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run(home, "demo", "--songs", "240")
        with server(home, arguments.precision) as process:
            asyncio.run(overload(psutil.Process(process), arguments.minutes * 60))


async def overload(process: psutil.Process, seconds: float) -> None:
    stream = texts(1)
    quiet = await quiet_seconds(stream)
    capacity = await closed_loop(stream, clients=32, seconds=min(20, seconds))
    print(f"quiet: p50 {quiet * 1e3:.1f} ms; 32 clients that never pause: {capacity:.0f} texts/s", flush=True)
    seen = Seen(memory=[memory(process)])
    await open_loop(stream, seen, process, rate=TIMES * capacity, seconds=seconds, leave=True)
    report(seen, capacity, seconds)
    print(f"clients gone: {await recovered(stream, quiet):.2f} s later an answer took at most twice its quiet time")
    waiting = Seen()
    await open_loop(stream, waiting, process, rate=TIMES * capacity, seconds=min(30, seconds), leave=False)
    print(f"clients that wait on: {await recovered(stream, quiet):.2f} s")


async def quiet_seconds(stream: Iterator[str]) -> float:
    connection = await Connection.open(PORT)
    took = [(await timed(connection, next(stream)))[1] for _ in range(100)]
    connection.close()
    return median(took[20:])


async def timed(connection: Connection, text: str) -> tuple[int, float]:
    begun = time.perf_counter()
    answer = await connection.post("/v1/embeddings", {"input": text})
    return answer.status, time.perf_counter() - begun


async def closed_loop(stream: Iterator[str], *, clients: int, seconds: float) -> float:
    """Texts a second."""
    start = time.perf_counter() + 2
    stop, answered = start + seconds, 0

    async def client() -> None:
        nonlocal answered
        connection = await Connection.open(PORT)
        while time.perf_counter() < stop:
            await timed(connection, next(stream))
            answered += time.perf_counter() > start
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return answered / seconds


class Asker:
    """Clients that ask whenever told, on connections that are kept while nothing is asked on them."""

    def __init__(self, seen: Seen, seconds: float) -> None:
        self._seen = seen
        self._part = seconds / 10
        self._begun = time.perf_counter()
        self._idle: list[Connection] = []

    async def ask(self, text: str) -> None:
        kept = self._idle.pop() if self._idle else None
        connection = kept or await Connection.open(PORT)
        try:
            status, took = await timed(connection, text)
        except asyncio.CancelledError:
            connection.close()
            raise
        except (OSError, asyncio.IncompleteReadError) as error:
            connection.close()
            if kept is None:
                self._seen.statuses[type(error).__name__] += 1
            else:  # the server had closed it, as nothing came for five seconds: clients ask anew
                self._idle.clear()
                await self.ask(text)
            return
        self._note(status, took)
        self._idle.append(connection)

    def _note(self, status: int, took: float) -> None:
        self._seen.statuses[status] += 1
        self._seen.took.setdefault(status, []).append(took)
        self._seen.answered_in[int((time.perf_counter() - self._begun) / self._part)] += status == 200

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


async def open_loop(
    stream: Iterator[str], seen: Seen, process: psutil.Process, *, rate: float, seconds: float, leave: bool
) -> None:
    """Send requests at a rate, at random moments, whatever becomes of them."""
    chance, asker, tasks = random.Random(7), Asker(seen, seconds), set[asyncio.Task[None]]()
    begun = due = time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        while due <= now:
            task = asyncio.ensure_future(asker.ask(next(stream)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += chance.expovariate(rate)
        if now > begun + seconds * len(seen.memory) / 10:
            seen.memory.append(memory(process))
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    if leave:
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    asker.close()


async def recovered(stream: Iterator[str], quiet: float) -> float:
    """Seconds from now until a request, sent then, is answered in at most twice the quiet time."""
    begun = time.perf_counter()
    connection = await Connection.open(PORT)
    while True:
        sent = time.perf_counter() - begun
        status, took = await timed(connection, next(stream))
        if status == 200 and took <= 2 * quiet:
            connection.close()
            return sent
        await asyncio.sleep(0.02)


def memory(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / MIB
    return 0.0


def report(seen: Seen, capacity: float, seconds: float) -> None:
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(seen.statuses.items(), key=str))
    rates = [seen.answered_in[part] / (seconds / 10) for part in range(10)]
    print(f"answers at {TIMES:.0f} times that rate for {seconds / 60:.1f} min: {answers}")
    print(f"answered texts/s, by tenths: {', '.join(f'{rate:.0f}' for rate in rates)}: ", end="")
    print(f"median {median(rates) / capacity:.2f} of what it can, least {min(rates) / capacity:.2f}")
    for status, took in sorted(seen.took.items()):
        cuts = quantiles(took, n=100)
        print(f"{status}: p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, most {max(took):.2f} s")
    print(f"memory at the start and after each tenth: {', '.join(f'{each:.0f}' for each in seen.memory)} MiB")


if __name__ == "__main__":
    main()
