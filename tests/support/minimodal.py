"""A stand-in for Modal's control plane and workers, with which Modal's own client and containers really run.

It is shared with the project and not part of it: whatever needs it is skipped where it is not.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "shared" / "tools" / "minimodal" / "minimodal.py"
PROJECT = Path(__file__).parents[2]


def why_not() -> str | None:
    """Why no stand-in can run here, if so."""
    if not PROGRAM.is_file():
        return "the stand-in for Modal is not beside this checkout"
    return None if os.geteuid() == 0 else "the stand-in for Modal mounts volumes, which takes root"


needs_minimodal = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@dataclass(frozen=True)
class ControlPlane:
    """A running stand-in: where it is, and the variables that lead Modal's client to it."""

    port: int
    folder: Path
    environment: Mapping[str, str]

    def control(self, **changes: Any) -> dict[str, Any]:
        """Change how it behaves, such as which containers it kills; everything that it knows."""
        request = urllib.request.Request(f"{self.web}/_ctl", method="PUT" if changes else "GET")  # noqa: S310
        if changes:
            request.data = json.dumps(changes).encode()
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            document: dict[str, Any] = json.load(response)
        return document

    def started(self, function: str) -> int:
        """How many containers of a function have been started."""
        events = self.control()["events"]
        return sum(each["ev"] == "container_start" and each["fn"].startswith(function) for each in events)

    def wait_until_gone(self, function: str) -> None:
        """Wait until no container of a function is left: it goes a little after it has nothing to do."""
        deadline = time.monotonic() + 60
        while self._there(function):
            assert time.monotonic() < deadline, f"{function} has a container still"
            time.sleep(0.1)

    def _there(self, function: str) -> set[str]:
        events = self.control()["events"]
        begun = {each["task"] for each in events if each["ev"] == "container_start" and each["fn"] == function}
        return begun - {each["task"] for each in events if each["ev"] == "container_exit"}

    @property
    def web(self) -> str:
        """Where its web functions answer."""
        return f"http://127.0.0.1:{self.port + 1}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Modal's command line against it."""
        done = subprocess.run(
            [sys.executable, "-m", "modal", *command],
            cwd=PROJECT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@contextmanager
def running_minimodal(folder: Path, *, port: int | None = None, network: bool = True) -> Iterator[ControlPlane]:
    """Start one; at the end it and its containers are gone.

    Args:
        folder: of its volumes and containers; what is there already is kept.
        network: whether containers have one.
    """
    port = port or _two_free_ports()
    settings = {"MM_IDLE": "2"} if network else {"MM_IDLE": "2", "MM_NONET": "1"}
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(port), str(folder)],
        env={**os.environ, **settings, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        yield ControlPlane(
            port,
            folder,
            {
                "MODAL_SERVER_URL": f"http://127.0.0.1:{port}",
                "MODAL_TOKEN_ID": "ak-local",
                "MODAL_TOKEN_SECRET": "as-local",
                "MODAL_CONFIG_PATH": "/nonexistent.toml",
                "MODAL_ENVIRONMENT": "main",
            },
        )
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def _two_free_ports() -> int:
    """The first of two ports, one after the other, on which nobody listens."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with socket.socket() as second:
                try:
                    second.bind(("127.0.0.1", port + 1))
                except OSError:
                    continue
        return port
