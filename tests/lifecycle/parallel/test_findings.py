"""What a run found, from what the database holds."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lifecycle.parallel import findings as findings_of
from lifecycle.parallel.agreement import Duels
from lifecycle.parallel.findings import Canary, Preference, Sampling
from lifecycle.workspace import Workspace
from registry import catalogue, parallel_runs, traffic
from registry.database import Connection
from registry.parallel_runs import ComparedRequest, ComparedSong, Kind, SampledRequests
from registry.records import CatalogueRecord, Feedback, Playlist, Song, Verdict
from registry.traffic import Cell, Count
from serving.parallel.canary import in_canary
from tests.support.findings import findings
from tests.support.trained_versions import with_two_versions


@pytest.fixture
def connection(workspace: Workspace) -> Any:
    with_two_versions(workspace)
    with workspace.database.transaction() as opened:
        yield opened


def start(connection: Connection, *, canary: float = 0.0) -> parallel_runs.ParallelRun:
    return parallel_runs.start(connection, Kind.LIVE, "v2", "v1", sample=0.5, canary=canary, actor="tester")


def test_all_that_was_kept_is_told(connection: Connection) -> None:
    run = start(connection)
    at = run.started_at
    requests = [ComparedRequest(at, 0.01, 0.02, False, False)] * 3 + [ComparedRequest(at, 0.01, None, False, True)]
    lists: dict[str, Any] = {"live_list": ["a", "b"], "candidate_list": ["b", "a"]}
    song = ComparedSong(
        at, "s", None, "jazz", "mood", **lists, overlap=1.0, rank_biased_overlap=0.9, first_changed=True
    )
    parallel_runs.record(connection, run.run_id, requests, [song, song])
    parallel_runs.count(connection, run.run_id, "a", SampledRequests(8, 4, 0))
    records: list[CatalogueRecord] = [
        Song(song_id="s", title="S"),
        *(Playlist(playlist_id=each, name=each) for each in "ab"),
    ]
    said_at = at + timedelta(minutes=1)
    records.append(Feedback(user="ann", song_id="s", playlist_id="b", verdict=Verdict.ACCEPT, at=said_at))
    catalogue.merge(connection, enumerate(records, start=1))
    found = findings_of.read(connection, run)
    assert found.likeness is not None
    assert (found.likeness.n, found.likeness.overlap, found.likeness.first_changed) == (2, 1.0, 1.0)
    assert list(found.genres) == ["jazz"]
    assert list(found.types) == ["mood"]
    assert found.speed is not None
    assert found.speed.ratio == pytest.approx(2.0)
    assert (found.failures.n, found.failures.candidate, found.failures.more) == (4, 1, 0.25)
    assert found.agreement.duels == Duels(won=1)
    assert found.sampling == Sampling(0.5, 4, 8, 1.0)
    assert found.sound
    assert json.loads(json.dumps(found.as_json()))["requests"]["compared"] == 4


def test_a_run_that_found_nothing_yet_can_be_told_too(connection: Connection) -> None:
    found = findings_of.read(connection, start(connection, canary=0.1))
    assert (found.likeness, found.speed, found.failures.n) == (None, None, 0)
    assert found.sound
    assert "Infinity" not in json.dumps(found.as_json())


def test_of_both_kinds_the_latest_run_is_read(connection: Connection) -> None:
    run = start(connection)
    assert findings_of.latest(connection, "v2", "v1") == {}
    parallel_runs.record(connection, run.run_id, [ComparedRequest(run.started_at, 0.1, 0.1, False, False)], [])
    assert list(findings_of.latest(connection, "v2", "v1")) == [Kind.LIVE]


def test_a_canary_is_told_by_its_users_what_they_were_served_and_what_they_said(connection: Connection) -> None:
    run = start(connection, canary=0.5)
    parallel_runs.add_users(connection, run.run_id, {b"1": True, b"2": False, b"3": False})
    traffic.add(connection, {Cell(1, "v2", "/match", 1): Count(10, 2), Cell(1, "v1", "/match", 1): Count(20, 0)})
    users = [f"user-{number}" for number in range(20)]
    said_at = run.started_at + timedelta(minutes=1)
    catalogue.merge(connection, enumerate([Song(song_id="s", title="S"), Playlist(playlist_id="a", name="A")], start=1))
    said = [Feedback(user=each, song_id="s", playlist_id="a", verdict=Verdict.REJECT, at=said_at) for each in users]
    catalogue.merge(connection, enumerate(said, start=1))
    canary = findings_of.read(connection, run).canary
    assert canary is not None
    assert (canary.users.chosen, canary.users.seen) == (1, 3)
    assert [each.requests for each in canary.served] == [10, 20]
    chosen = sum(in_canary(run.run_id, user, 0.5) for user in users)
    assert canary.rejected == ((chosen, chosen), (20 - chosen, 20 - chosen))


def test_a_mismatch_of_the_sample_or_of_the_canary_is_no_sound_finding() -> None:
    good = findings()
    assert good.sound
    assert not replace(good, sampling=Sampling.of(0.2, 400, 1_500)).sound
    nothing = (traffic.Served(), traffic.Served())
    canary = Canary(Sampling.of(0.5, 10, 1_000), nothing, ((0, 0), (0, 0)))
    assert not replace(good, canary=canary).sound


def test_a_preference_is_as_sure_as_its_duels_allow() -> None:
    assert Preference.of(Duels()).share is None
    assert Preference.of(Duels(3, 2)).p == 1.0
    clear = Preference.of(Duels(80, 20))
    assert clear.p < 1e-6
    assert clear.bounds.low > 0.6
    assert not math.isnan(clear.bounds.high)
