"""Whether the time of a refusal tells anything: no key, a wrong one, one that begins as a right one, too little a role.

    python -m benchmarks.api_keys [--rounds 3000] [--keys 20]

One client on one connection asks in turn, so that whatever slows the machine down slows all kinds alike. Printed are
medians, the 99th percentile, and the median of each kind's time against that of "no key" in the same round.
"""

import argparse
import json
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from benchmarks.cutover import wait_until_ready
from benchmarks.support import AUTOSORT, autosort, environment
from lifecycle.sample.library import generate_library, write_jsonl

PORT = 8977
REFUSED = {"no key": 401, "a wrong key": 401, "all but the last digit right": 401, "a read key that writes": 403}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3_000)
    parser.add_argument("--keys", type=int, default=20, help="that the service knows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_jsonl(generate_library(songs=60), Path(folder) / "library.jsonl")
        autosort(home, "import", str(Path(folder) / "library.jsonl"))
        autosort(home, "sync")
        keys = [autosort(home, "keys", "add", f"key-{n}", "--role", "read")["key"] for n in range(arguments.keys)]
        with server(home), socket.create_connection(("127.0.0.1", PORT)) as connection:
            report(measure(connection, keys[len(keys) // 2], arguments.rounds))


def measure(connection: socket.socket, key: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each kind of refusal, round by round."""
    shown = {
        "no key": b"",
        "a wrong key": b"X-Api-Key: autosort_" + b"0" * 64 + b"\r\n",
        "all but the last digit right": f"X-Api-Key: {key[:-1]}{'0' if key[-1] != '0' else '1'}\r\n".encode(),
        "a read key that writes": f"X-Api-Key: {key}\r\n".encode(),
    }
    times: dict[str, list[float]] = {kind: [] for kind in shown}
    for number in range(rounds + rounds // 10):
        for kind in random.sample(list(shown), len(shown)):
            seconds = ask(connection, shown[kind], REFUSED[kind])
            if number >= rounds // 10:  # the first ones warm up
                times[kind].append(seconds)
    return times


def ask(connection: socket.socket, header: bytes, status: int) -> float:
    begun = time.perf_counter()
    connection.sendall(b"PUT /songs/song-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + header + b"\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65_536)
    taken = time.perf_counter() - begun
    if not answer.startswith(f"HTTP/1.1 {status} ".encode()):
        raise SystemExit(f"{status} was expected: {answer!r}")
    return taken


def report(times: dict[str, list[float]]) -> None:
    without = times["no key"]
    for kind, taken in times.items():
        ratio = median(one / other for one, other in zip(taken, without, strict=True))
        slowest = quantiles(taken, n=100)[98]
        print(
            f"{REFUSED[kind]} {kind:30} median {median(taken) * 1e6:5.0f} µs, p99 {slowest * 1e6:6.0f} µs, "
            f"against no key {ratio:.3f}"
        )
    print(json.dumps({kind: median(taken) for kind, taken in times.items()}))


@contextmanager
def server(home: Path) -> Iterator[None]:
    started = subprocess.Popen(
        [str(AUTOSORT), "serve", "--port", str(PORT)],
        env=environment(home, AUTOSORT_PRECISION="fp32"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(PORT)
        yield
    finally:
        started.terminate()
        started.wait()


if __name__ == "__main__":
    main()
