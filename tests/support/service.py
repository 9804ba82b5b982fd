"""A real server in a process of its own, found on a free port of 127.0.0.1."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.command_line import CommandLine


@contextmanager
def served(line: CommandLine, *, timeout: float = 120) -> Iterator[str]:
    """Run `autosort serve` and give its base URL once it is ready; it is ended with the context."""
    port = _free_port()
    process = line.start("serve", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url, timeout)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
