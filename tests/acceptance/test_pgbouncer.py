"""The whole cycle through a pooler in transaction mode, which keeps neither sessions nor notifications."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from registry.settings import RegistrySettings
from tests.support.command_line import PROMOTE_V2, CommandLine, environment
from tests.support.pgbouncer import pooled
from tests.support.service import served


@pytest.fixture
def line(trained_settings: RegistrySettings) -> Iterator[CommandLine]:
    """The command line where v1 is live and v2 is ready, and everything goes through PgBouncer."""
    assert trained_settings.database_url is not None
    with pooled(trained_settings.database_url.get_secret_value()) as url:
        line = CommandLine(environment(AUTOSORT_HOME=str(trained_settings.home), DATABASE_URL=url))
        yield line
        for process in line.started:
            if process.poll() is None:
                process.kill()
                process.communicate()


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_compare_promote_follow_and_roll_back_under_requests(line: CommandLine) -> None:
    stop, failed, versions = threading.Event(), [], set()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not stop.is_set():
                answer = client.post("/match", json={"songs": [{"song_id": "song-00001"}]})
                (versions.add(answer.headers["X-Model-Version"]) if answer.is_success else failed.append(answer.text))

    with served(line) as url:
        line.run("compare", "start", "v2", "--sample", "1", "--canary", "0.5")
        clients = [threading.Thread(target=ask, args=(url,)) for _ in range(3)]
        for client in clients:
            client.start()
        try:
            assert eventually(lambda: _compared(line) > 0)
            moved = line.run(*PROMOTE_V2, "--wait").document
            assert len(moved["servers"]["seconds"]) == 1
            assert line.run("rollback", "--drill").document["servers"] == 1
            back = line.run("rollback", "--wait").document
            assert (back["live"], back["servers"]["stragglers"]) == ("v1", {})
        finally:
            stop.set()
            for client in clients:
                client.join()
        assert failed == []
        assert versions == {"v1", "v2"}


def _compared(line: CommandLine) -> int:
    process = line.start("compare", "v2")
    stdout, _ = process.communicate(timeout=60)
    if process.returncode:
        return 0
    found = json.loads(stdout)
    return int(found["live"]["requests"]["compared"]) if "live" in found else 0


def test_a_song_that_arrives_reaches_every_version(line: CommandLine, tmp_path: Path) -> None:
    watching = line.start("sync", "--watch")
    file = tmp_path / "late.jsonl"
    file.write_text('{"kind": "song", "song_id": "late", "title": "Late", "description": "rain"}')
    line.run("import", str(file))
    versions = {"v1", "v2"}

    def covered() -> bool:
        rows = line.run("status").document["versions"]
        return {row["version"] for row in rows if not any(row["coverage"].values())} == versions

    assert eventually(covered, 60)
    assert watching.poll() is None
    watching.terminate()
    watching.communicate(timeout=60)


def test_a_version_is_retired(line: CommandLine) -> None:
    assert line.run("retire", "v2").document["stage"] == "rejected"
    assert line.run("search", "rain").document
