"""Comparing, baking and looking back from the command line, with a real server."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.workspace import Workspace
from tests.support.command_line import PROMOTE_V2, CommandLine
from tests.support.service import served


def test_old_and_new_side_by_side_then_promote_wait_drill_bake_and_back(trained_autosort: CommandLine) -> None:
    line = trained_autosort
    with served(line) as url, httpx.Client(base_url=url, timeout=30) as client:
        run = line.run("compare", "start", "v2", "--sample", "1").document
        assert (run["candidate"], run["live"], run["sample"]) == ("v2", "v1", 1.0)
        assert line.run("compare", "start", "v2", code=1).document["error"] == "Refused"
        while not (found := _live(line)):
            client.post("/match", json={"songs": [{"song_id": "song-00001"}]}).raise_for_status()
        assert found["sampling"]["sound"]
        status = line.run("status").document
        assert status["parallel_run"]["candidate"] == "v2"
        assert [server["warm"] for server in status["servers"]] == [["v1", "v2"]]
        assert "overlap@5" in line.show("compare", "v2").stdout
        moved = line.run(*PROMOTE_V2, "--wait").document
        assert (len(moved["servers"]["seconds"]), moved["servers"]["stragglers"]) == (1, {})
        assert client.get("/live").json() == {"model_version": "v2", "generation": 2}
        assert line.run("status").document["parallel_run"] is None
        assert line.run("bake").document["version"] == "v2"
        drill = line.run("rollback", "--drill").document
        assert (drill["ready"], drill["target"], drill["servers"]) == (True, "v1", 1)
        assert "It would work at once" in line.show("rollback", "--drill").stdout
        assert client.get("/live").json()["model_version"] == "v2"
        back = line.run("rollback", "--wait").document
        assert (back["live"], back["generation"], back["servers"]["stragglers"]) == ("v1", 3, {})
        assert client.get("/live").json()["model_version"] == "v1"


def _live(line: CommandLine) -> dict[str, Any]:
    process = line.start("compare", "v2")
    stdout, _ = process.communicate(timeout=60)
    found: dict[str, Any] = json.loads(stdout).get("live", {}) if process.returncode == 0 else {}
    return found


def test_songs_of_a_file_and_of_the_catalogue_are_replayed(trained_autosort: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    file.write_text('{"kind": "song", "song_id": "new", "title": "New", "description": "rain"}')
    found = trained_autosort.run("compare", "v2", "--replay", str(file)).document["replay"]
    assert (found["requests"]["compared"], found["run"]["live"]) == (1, "v1")
    found = trained_autosort.run("compare", "v1", "v2", "--replay-recent", "20").document["replay"]
    assert (found["requests"]["compared"], found["run"]["live"]) == (20, "v2")
    assert trained_autosort.run("compare", "stop", code=1).document["error"] == "NotFound"


def test_history_answers_what_was_live_at_a_moment(trained_autosort: CommandLine, trained: Workspace) -> None:
    before = datetime.now(UTC)
    promote(trained, "v2", Silent(), force=True, reason="a test")
    then = trained_autosort.run("history", "--at", before.isoformat()).document
    now = trained_autosort.run("history", "--at", datetime.now(UTC).isoformat()).document
    assert (then["version"], then["generation"], then["until"]) == ("v1", 1, now["since"])
    assert (now["version"], now["until"], now["move"]["reason"]) == ("v2", None, "a test")
    nothing = trained_autosort.run("history", "--at", "2020-01-01 00:00", code=1).document
    assert nothing["error"] == "NotFound"
    assert "no moment" in trained_autosort.start("history", "--at", "yesterday").communicate()[1]
