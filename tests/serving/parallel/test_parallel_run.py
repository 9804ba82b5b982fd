"""A candidate beside the live version, over HTTP: in the shadow, for a canary's users, interleaved, and by its name."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from lifecycle.parallel import running as runs
from lifecycle.parallel.findings import Findings
from lifecycle.workspace import Workspace, open_workspace
from registry import parallel_runs, traffic
from registry.parallel_runs import Kind, SampledRequests
from registry.settings import RegistrySettings
from serving.http.app import create_app
from serving.matching import matcher
from serving.matching.matcher import Answering
from serving.parallel import shadow
from serving.parallel.canary import in_canary
from serving.service import Service
from serving.settings import ServingSettings
from tests.support.service import running

SONGS: list[dict[str, Any]] = [
    {"song_id": "song-00001"},
    {"title": "Told", "description": "a slow song about a harbour at night"},
]


@dataclass
class Running:
    """A server with v1 live that holds the candidate v2 ready, a client of it, and what it stands on."""

    client: httpx.Client
    service: Service
    workspace: Workspace

    def start(self, *, sample: float = 0.0, canary: float = 0.0) -> int:
        """Start a run, and wait until the server takes part in it."""
        run = runs.start(self.workspace, "v2", sample=sample, canary=canary)
        assert eventually(lambda: self.service.slot.standing.run == run)
        return run.run_id

    def match(self, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        response = self.client.post("/match", json={"songs": SONGS, **more}, headers=headers or {})
        assert response.status_code == 200, response.text
        return response

    def counted(self, run_id: int) -> SampledRequests:
        with self.workspace.database.transaction() as connection:
            return parallel_runs.sampling(connection, run_id)

    def compared(self, run_id: int) -> int:
        with self.workspace.database.transaction() as connection:
            return int(parallel_runs.request_figures(connection, run_id)["n"])

    def served_by(self, version: str) -> int:
        with self.workspace.database.transaction() as connection:
            return traffic.read(connection, version, 1).requests

    def findings(self) -> Findings:
        return runs.found(self.workspace, "v2")[Kind.LIVE]


@pytest.fixture(scope="module")
def started(trained_template: RegistrySettings, clone: Callable[[str], str]) -> Iterator[Running]:
    """A server for all tests of this module, on a copy of the trained database."""
    assert trained_template.database_url is not None
    template = urlsplit(trained_template.database_url.get_secret_value()).path.lstrip("/")
    settings = RegistrySettings.model_validate(
        {"AUTOSORT_HOME": trained_template.home, "DATABASE_URL": clone(template)}
    )
    app = create_app(settings, ServingSettings(device="cpu", poll_seconds=0.05, precision="fp32"))
    with open_workspace(settings) as workspace, running(app) as client:
        service: Service = app.state.service
        assert eventually(lambda: service.slot.report().warm == ("v1", "v2"))
        yield Running(client, service, workspace)


@pytest.fixture
def server(started: Running) -> Iterator[Running]:
    """The server with no run on, and with a core to spare."""
    cores = started.service.shadow._cores
    yield started
    started.service.shadow._cores = cores
    started.service.shadow._died_at = -math.inf
    with started.workspace.database.transaction() as connection:
        parallel_runs.end_open(connection)
    assert eventually(lambda: started.service.slot.standing.run is None)
    assert eventually(started.service.shadow._waiting.empty)


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 40
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


# In the shadow ------------------------------------------------------------------------------------------------------


def test_what_is_sampled_is_answered_by_both_and_kept(server: Running) -> None:
    run_id = server.start(sample=1.0)
    before = server.match().json()
    assert before["model_version"] == "v1"
    for _ in range(4):
        assert server.match(top_k=3).json()["results"][0]["matches"] == before["results"][0]["matches"][:3]
    assert eventually(lambda: server.compared(run_id) == 5)
    found = server.findings()
    assert found.requests == SampledRequests(seen=5, sampled=5, dropped=0)
    assert found.likeness is not None
    assert found.likeness.n == 10  # two songs each
    assert 0 < found.likeness.overlap < 1
    assert (found.failures.live, found.failures.candidate) == (0, 0)


def test_times_are_compared_only_where_both_models_had_to_read(server: Running) -> None:
    run_id = server.start(sample=1.0)
    told = [{"title": f"Told {number}", "description": "a song that nobody has asked for yet"} for number in range(3)]
    for song in (*told, *told, *told):
        server.client.post("/match", json={"songs": [song]})
    assert eventually(lambda: server.compared(run_id) == 9)
    speed = server.findings().speed
    assert speed is not None
    assert speed.n == 3
    assert 0.02 < speed.ratio < 50


def test_only_the_sample_is_compared(server: Running) -> None:
    run_id = server.start(sample=0.3)
    for _ in range(60):
        server.client.post("/match", json={"songs": SONGS[:1]})
    assert eventually(lambda: server.counted(run_id).seen == 60)
    counted = server.counted(run_id)
    assert 5 <= counted.sampled <= 35
    assert eventually(lambda: server.compared(run_id) + server.counted(run_id).dropped == counted.sampled)


def test_a_candidate_that_fails_disturbs_no_answer_and_is_counted(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    run_id = server.start(sample=1.0)
    candidate = server.service.shadow._candidate
    registry, *others = candidate._arguments
    candidate.stop()
    monkeypatch.setattr(candidate, "_arguments", (registry.model_copy(update={"home": tmp_path}), *others))
    for _ in range(3):
        assert server.match().json()["model_version"] == "v1"
    assert eventually(lambda: server.compared(run_id) == 3)
    assert server.findings().failures.candidate == 3
    assert caplog.text.count("The candidate v2 failed to answer: ArtifactError") == 3
    candidate.stop()


def test_an_interleaved_answer_whose_candidate_fails_is_the_live_one(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = server.start(canary=0.01)
    real = matcher.match

    def match(answering: Answering, *arguments: Any, **more: Any) -> Any:
        if answering.version.version == "v2":
            raise RuntimeError("a broken candidate")
        return real(answering, *arguments, **more)

    monkeypatch.setattr(matcher, "match", match)
    assert server.match(interleave=True).json()["interleaved"] is False
    server.service.comparisons.tell()
    assert server.findings().failures.candidate == 1
    assert server.compared(run_id) == 1
    assert "a broken candidate" in caplog.text


def test_a_candidate_whose_process_dies_is_counted_and_begins_again(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shadow, "_AGAIN_SECONDS", 60.0)
    run_id = server.start(sample=1.0)
    server.match()
    assert eventually(lambda: server.compared(run_id) == 1)
    process = server.service.shadow._candidate._process
    assert process is not None
    process.kill()
    process.join()
    server.match()
    assert eventually(lambda: server.compared(run_id) == 2)
    assert server.findings().failures.candidate == 1
    assert "its process ended" in caplog.text
    server.match()  # too soon: it is left in peace
    assert eventually(lambda: server.counted(run_id).dropped == 1)
    monkeypatch.setattr(shadow, "_AGAIN_SECONDS", 0.0)
    server.match()
    assert eventually(lambda: server.compared(run_id) == 3)
    assert server.findings().failures.candidate == 1


def test_a_candidate_that_is_asked_nothing_gives_its_memory_back(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = server.start(sample=1.0)
    server.match()
    assert eventually(lambda: server.compared(run_id) == 1)
    process = server.service.shadow._candidate._process
    assert process is not None
    assert process.is_alive()
    monkeypatch.setattr(shadow, "_IDLE_SECONDS", 0.1)
    assert eventually(lambda: not process.is_alive())


def test_a_candidate_ends_with_its_server(server: Running) -> None:
    run_id = server.start(sample=1.0)
    server.match()
    assert eventually(lambda: server.compared(run_id) == 1)
    candidate = server.service.shadow._candidate
    process, pipe = candidate._process, candidate._pipe
    assert process is not None
    assert pipe is not None
    pipe.close()  # as when the server is killed
    process.join(20)
    assert process.exitcode == 0
    candidate.stop()


def test_under_load_comparisons_are_dropped_and_counted(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "_PATIENCE_SECONDS", 0.1)
    server.service.shadow._cores = 0  # no core is ever free
    run_id = server.start(sample=1.0)
    for _ in range(3):
        server.match()
    assert eventually(lambda: server.counted(run_id).dropped == 3)
    assert server.compared(run_id) == 0


def test_when_too_many_wait_the_answer_does_not(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "_PATIENCE_SECONDS", 60.0)
    server.service.shadow._cores = 0
    run_id = server.start(sample=1.0)
    for _ in range(70):
        server.client.post("/match", json={"songs": SONGS[:1]}).raise_for_status()
    server.service.comparisons.tell()
    counted = server.counted(run_id)
    assert (counted.sampled, counted.dropped) == (70, 5)  # one is at hand, 64 wait


def test_a_run_that_is_stopped_is_taken_part_in_no_more(server: Running) -> None:
    run_id = server.start(sample=1.0)
    runs.stop(server.workspace)
    assert eventually(lambda: server.service.slot.standing.run is None)
    server.match()
    time.sleep(1.5)
    assert server.counted(run_id).seen == 0


def test_comparisons_wait_while_the_database_is_away(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    run_id = server.start(sample=1.0)
    with server.workspace.database.transaction() as connection:
        connection.execute("ALTER TABLE compared_songs RENAME TO gone")
    server.match()
    assert eventually(lambda: "Comparisons cannot be written" in caplog.text)
    with server.workspace.database.transaction() as connection:
        connection.execute("ALTER TABLE gone RENAME TO compared_songs")
    assert eventually(lambda: server.compared(run_id) == 1)
    time.sleep(1.5)
    assert (server.compared(run_id), server.counted(run_id).seen) == (1, 1)


# For a canary's users -----------------------------------------------------------------------------------------------


def test_a_user_of_the_canary_is_always_answered_by_the_candidate_and_nobody_else(server: Running) -> None:
    run_id = server.start(canary=0.5)
    before = server.served_by("v2")
    users = [f"user-{number}" for number in range(12)]
    for _ in range(2):
        for user in users:
            response = server.match({"X-User-Id": user})
            expected = "v2" if in_canary(run_id, user, 0.5) else "v1"
            assert response.headers["X-Model-Version"] == response.json()["model_version"] == expected
            embedded = server.client.post("/embed", json={"inputs": "a"}, headers={"X-User-Id": user})
            assert embedded.headers["X-Model-Version"] == expected
    assert server.match().json()["model_version"] == "v1"
    canary = sum(in_canary(run_id, user, 0.5) for user in users)
    assert 0 < canary < 12

    def seen() -> Any:
        with server.workspace.database.transaction() as connection:
            users_seen = parallel_runs.canary_users(connection, run_id)
        return users_seen == (canary, 12) and server.served_by("v2") - before >= 4 * canary

    assert eventually(seen)


@pytest.mark.parametrize("user", ["", "x" * 201])
def test_a_user_without_a_usable_name_is_told(server: Running, user: str) -> None:
    response = server.client.post("/match", json={"songs": SONGS}, headers={"X-User-Id": user})
    assert (response.status_code, response.json()["error"]) == (400, "BadInput")


# Interleaved --------------------------------------------------------------------------------------------------------


def test_an_interleaved_answer_shows_both_and_says_who_put_what_where(server: Running) -> None:
    run_id = server.start(sample=0.5)
    body = server.match(interleave=True, top_k=6).json()
    assert body["interleaved"] is True
    assert body["model_version"] == "v1"
    for result in body["results"]:
        by = [match["model_version"] for match in result["matches"]]
        assert sorted(by) == ["v1"] * 3 + ["v2"] * 3
        assert len({match["playlist_id"] for match in result["matches"]}) == 6
    assert eventually(lambda: server.compared(run_id) == 1)
    with server.workspace.database.transaction() as connection:
        rows = connection.execute("SELECT shown, shown_by_candidate FROM compared_songs ORDER BY at").fetchall()
    kept = [list(zip(row["shown"], row["shown_by_candidate"], strict=True)) for row in rows if row["shown"]]
    shown = [[(m["playlist_id"], m["model_version"] == "v2") for m in each["matches"]] for each in body["results"]]
    assert [each for each in kept if each in shown] == shown


def test_without_a_run_nothing_is_interleaved(server: Running) -> None:
    plain, asked = server.match().json(), server.match(interleave=True).json()
    assert asked == plain
    assert plain["interleaved"] is False
    assert all("model_version" not in match for result in plain["results"] for match in result["matches"])


# By its name --------------------------------------------------------------------------------------------------------


def test_a_request_may_name_its_version(server: Running) -> None:
    by_name = {name: server.match({"X-Model-Version": name}) for name in ("v1", "v2")}
    for name, response in by_name.items():
        assert response.headers["X-Model-Version"] == response.json()["model_version"] == name
        assert response.headers["X-Generation"] == "1"
    assert by_name["v1"].json()["results"] != by_name["v2"].json()["results"]
    assert server.client.get("/live").json()["model_version"] == "v1"
    assert server.client.get("/live", headers={"X-Model-Version": "v2"}).json()["model_version"] == "v2"


def test_a_version_that_cannot_serve_is_refused_and_the_answer_says_who_gave_it(server: Running) -> None:
    response = server.client.post("/match", json={"songs": SONGS}, headers={"X-Model-Version": "v9"})
    assert response.status_code == 404
    assert "v9" in response.json()["message"]
    assert response.headers["X-Model-Version"] == "v1"


def test_a_request_that_names_a_version_is_not_compared(server: Running) -> None:
    run_id = server.start(sample=1.0, canary=1.0)
    assert server.match({"X-Model-Version": "v2", "X-User-Id": "ann"}).json()["model_version"] == "v2"
    time.sleep(1.5)
    assert server.counted(run_id).seen == 0
