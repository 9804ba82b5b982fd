"""The command line as users have it: real processes, real files, real signals."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AUTOSORT = Path(sys.executable).parent / "autosort"


PROMOTE_V2 = ("promote", "v2", "--force", "--reason", "a test")
"""For tests that are not about the evaluation: the small library's v2 may well be no better than its v1."""


@dataclass
class Finished:
    """What became of a command: its exit code, its JSON document and what it printed on stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


@dataclass
class CommandLine:
    """`autosort` in a home, over a database, of its own."""

    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, *arguments: str, code: int = 0, timeout: float = 600) -> Finished:
        """Run a command with --json to its end and check its exit code."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=timeout)
        assert process.returncode == code, f"{arguments} exited with {process.returncode}:\n{stdout}\n{stderr}"
        return Finished(process.returncode, stdout, stderr)

    def show(self, *arguments: str, code: int = 0) -> Finished:
        """Run a command as a person does, without --json."""
        process = self.start(*arguments, as_json=False)
        stdout, stderr = process.communicate(timeout=600)
        assert process.returncode == code, f"{arguments} exited with {process.returncode}:\n{stdout}\n{stderr}"
        return Finished(process.returncode, stdout, stderr)

    def start(self, *arguments: str, as_json: bool = True) -> subprocess.Popen[str]:
        """Start a command, by default with --json; whoever starts it may kill it."""
        process = subprocess.Popen(
            [str(AUTOSORT), *arguments, *(["--json"] if as_json else [])],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def kill_once(self, condition: Callable[[], bool], *arguments: str, timeout: float = 300) -> bool:
        """Start a command and `kill -9` it as soon as the condition holds; whether it was still running then."""
        process = self.start(*arguments)
        deadline = time.monotonic() + timeout
        while process.poll() is None and not condition():
            assert time.monotonic() < deadline, f"{arguments}: the moment to kill it never came"
            time.sleep(0.005)
        process.kill()
        process.communicate()
        return process.returncode < 0


def environment(**variables: str) -> dict[str, str]:
    """The tests' environment with these variables, and none of the toolkit's own but these.

    Servers compute in fp32, as commands do, so that their answers can be compared, and end without delay.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOSORT_", "DATABASE_"))}
    fixed = {"PYTHONWARNINGS": "default", "AUTOSORT_PRECISION": "fp32", "AUTOSORT_DRAIN_SECONDS": "0"}
    return {**inherited, **fixed, **variables}
