"""How a server ends: real processes and real signals, around an app that does next to nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.service import free_port

_SCRIPT = """
import asyncio, sys
from fastapi import FastAPI
from serving.http.server import server_of
app = FastAPI()
@app.get("/{seconds}")
async def wait(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds
server_of(app, port=int(sys.argv[1]), drain_seconds=float(sys.argv[2])).run()
"""

Start = Callable[[float], tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Begin a server that drains for so long: its process and address."""
    begun: list[subprocess.Popen[bytes]] = []

    def make(drain_seconds: float) -> tuple[subprocess.Popen[bytes], str]:
        port = free_port()
        begun.append(subprocess.Popen([sys.executable, "-c", _SCRIPT, str(port), str(drain_seconds)]))
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{url}/0")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                break
        return begun[-1], url

    yield make
    for each in begun:
        each.kill()
        each.wait()


def test_told_to_end_it_goes_on_for_a_while_and_answers_what_is_on_its_way(start: Start) -> None:
    process, url = start(0.8)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(httpx.get, f"{url}/2")
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        while time.monotonic() - told < 0.5:
            assert httpx.get(f"{url}/0").status_code == 200
        assert slow.result().json() == 2
    assert process.wait(20) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/0")


def test_told_twice_it_ends_at_once(start: Start) -> None:
    process, url = start(30)
    with ThreadPoolExecutor(1) as pool:
        never = pool.submit(httpx.get, f"{url}/30", timeout=60)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
        assert isinstance(never.exception(), httpx.TransportError)


def test_ctrl_c_does_not_wait_for_balancers(start: Start) -> None:
    process, _ = start(30)
    process.send_signal(signal.SIGINT)
    process.wait(10)  # with which code is the shell's matter: one that runs it in the background has it ignore SIGINT
