"""A real server on a free port of 127.0.0.1: in a process of its own, or in a thread of this one."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi import FastAPI

from registry.settings import RegistrySettings
from serving.http.app import create_app
from serving.http.server import server_of
from serving.settings import ServingSettings
from tests.support.command_line import CommandLine


@contextmanager
def served(line: CommandLine, *, timeout: float = 120) -> Iterator[str]:
    """Run `autosort serve` and give its base URL once it is ready; it is ended with the context."""
    port = free_port()
    process = line.start("serve", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url, timeout)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def serving(settings: RegistrySettings) -> Iterator[httpx.Client]:
    """A server over the settings' registry, on a free port, and a client of it."""
    with running(create_app(settings, ServingSettings(device="cpu", poll_seconds=0.05, precision="fp32"))) as client:
        yield client


@contextmanager
def running(app: FastAPI) -> Iterator[httpx.Client]:
    """A server of this app, on a free port, and a client of it."""
    server = server_of(app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in a minute"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _wait_until_ready(process: subprocess.Popen[str], url: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended: {process.communicate()}"
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the server was not ready within {timeout} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
