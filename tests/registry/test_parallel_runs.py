"""Parallel runs: one at a time on live requests, ended by any move, and what they have shown."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry import catalogue, parallel_runs, pointer
from registry.database import Connection, Database
from registry.errors import Refused
from registry.parallel_runs import ComparedRequest, ComparedSong, Kind, ParallelRun, SampledRequests
from registry.records import CatalogueRecord, Feedback, Playlist, Song, Verdict
from registry.stages import Stage
from registry.versions import ModelVersion

AddVersion = Callable[..., ModelVersion]
AT = datetime(2026, 5, 3, 14, tzinfo=UTC)


@pytest.fixture
def connection(database: Database, add_version: AddVersion) -> Any:
    """A connection where v1 is live and v2 is ready."""
    for _ in range(2):
        add_version(stage=Stage.READY)
    with database.transaction() as opened:
        pointer.move(opened, "v1", expected=pointer.read(opened), action="promote", actor="tester")
    with database.transaction() as opened:
        yield opened


def start(connection: Connection, kind: Kind = Kind.LIVE, sample: float = 0.5) -> ParallelRun:
    return parallel_runs.start(connection, kind, "v2", "v1", sample=sample, canary=0.1, actor="tester")


def song(song_id: str | None = "s", at: datetime = AT, **changes: Any) -> ComparedSong:
    made: dict[str, Any] = {
        "user_name": None,
        "genre": "jazz",
        "playlist_type": "mood",
        "live_list": ["a", "b"],
        "candidate_list": ["b", "a"],
        "overlap": 1.0,
        "rank_biased_overlap": 0.5,
        "first_changed": True,
    }
    return ComparedSong(at=at, song_id=song_id, **{**made, **changes})


def request(live: float | None = 0.01, candidate: float | None = 0.02) -> ComparedRequest:
    return ComparedRequest(AT, live, candidate, live is None, candidate is None)


def test_one_run_on_live_requests_at_a_time(connection: Connection) -> None:
    assert parallel_runs.find_open(connection) is None
    run = start(connection)
    assert (run.candidate, run.live, run.generation, run.sample, run.ended_at) == ("v2", "v1", 1, 0.5, None)
    assert parallel_runs.find_open(connection) == run
    with pytest.raises(Refused, match="v2 is compared with v1 since"):
        start(connection)
    start(connection, Kind.REPLAY)  # disturbs nobody
    ended = parallel_runs.end_open(connection)
    assert ended is not None
    assert ended.run_id == run.run_id
    assert ended.ended_at is not None
    assert parallel_runs.end_open(connection) is None
    start(connection)


def test_a_move_of_the_pointer_ends_it(connection: Connection) -> None:
    start(connection)
    pointer.move(connection, "v2", expected=pointer.read(connection), action="promote", actor="tester")
    assert parallel_runs.find_open(connection) is None


def test_the_latest_run_that_compared_anything_is_found_by_kind(connection: Connection) -> None:
    runs = []
    for kind in (Kind.REPLAY, Kind.REPLAY, Kind.LIVE):
        runs.append(start(connection, kind))
        parallel_runs.record(connection, runs[-1].run_id, [request()], [])
    start(connection, Kind.REPLAY)
    found = parallel_runs.latest(connection, "v2", "v1")
    assert {kind: run.run_id for kind, run in found.items()} == {
        Kind.REPLAY: runs[1].run_id,
        Kind.LIVE: runs[2].run_id,
    }
    assert parallel_runs.latest(connection, "v1", "v2") == {}
    assert parallel_runs.latest_opponent(connection, "v2") == "v1"
    assert parallel_runs.latest_opponent(connection, "v1") is None


def test_songs_are_summed_up_over_all_by_genre_and_by_type(connection: Connection) -> None:
    run = start(connection)
    songs = [
        song(),
        song(overlap=0.0, first_changed=False),
        song(None, genre=None, playlist_type="artist", overlap=0.5),
    ]
    parallel_runs.record(connection, run.run_id, [], songs)
    rows = parallel_runs.song_figures(connection, run.run_id)
    groups = {(row["genre"], row["playlist_type"]): (row["n"], float(row["overlap"])) for row in rows}
    assert groups == {
        (None, None): (3, 0.5),
        ("jazz", None): (2, 0.5),
        ("unknown", None): (1, 0.5),
        (None, "mood"): (2, 0.5),
        (None, "artist"): (1, 0.5),
    }
    assert (rows[0]["genre"], rows[0]["playlist_type"]) == (None, None)
    assert float(rows[0]["overlap_variance"]) == pytest.approx(0.25)
    assert float(rows[0]["first_changed"]) == pytest.approx(2 / 3)


def test_requests_are_summed_up(connection: Connection) -> None:
    run = start(connection)
    requests = [request(0.01, 0.02), request(0.01, 0.02), request(0.01, None), request(None, 0.02)]
    parallel_runs.record(connection, run.run_id, requests, [])
    row = parallel_runs.request_figures(connection, run.run_id)
    names = ("n", "timed", "live_failed", "candidate_failed")
    assert {name: row[name] for name in names} == {"n": 4, "timed": 2, "live_failed": 1, "candidate_failed": 1}
    assert row["log_ratio"] == pytest.approx(0.693147, abs=1e-5)
    assert row["log_ratio_variance"] == pytest.approx(0.0, abs=1e-9)
    assert row["candidate_seconds"] == pytest.approx([0.02, 0.02])


def test_a_run_without_requests_has_figures_too(connection: Connection) -> None:
    run = start(connection)
    assert parallel_runs.request_figures(connection, run.run_id)["n"] == 0
    assert parallel_runs.song_figures(connection, run.run_id) == []
    assert parallel_runs.sampling(connection, run.run_id) == SampledRequests()
    assert parallel_runs.canary_users(connection, run.run_id) == (0, 0)


def test_counts_of_several_servers_are_added_up(connection: Connection) -> None:
    run = start(connection)
    for server in ("a", "b", "a"):
        parallel_runs.count(connection, run.run_id, server, SampledRequests(10, 5, 1))
    assert parallel_runs.sampling(connection, run.run_id) == SampledRequests(30, 15, 3)


def test_users_count_once(connection: Connection) -> None:
    run = start(connection)
    for _ in range(2):
        parallel_runs.add_users(connection, run.run_id, {b"one": True, b"two": False, b"three": False})
    assert parallel_runs.canary_users(connection, run.run_id) == (1, 3)


def test_feedback_is_joined_with_the_latest_answers_before_it(connection: Connection) -> None:
    run = start(connection)
    said_at = AT + timedelta(hours=1)
    records: list[CatalogueRecord] = [
        Song(song_id="s", title="S"),
        *(Playlist(playlist_id=each, name=each) for each in "ab"),
    ]
    for user, at in (("ann", said_at), ("bob", said_at), ("cyd", AT - timedelta(hours=1))):
        records.append(Feedback(user=user, song_id="s", playlist_id="a", verdict=Verdict.ACCEPT, at=at))
    catalogue.merge(connection, enumerate(records, start=1))
    songs = [
        song(at=AT, live_list=["old"]),
        song(at=AT + timedelta(minutes=1), live_list=["late"]),
        song(at=AT + timedelta(hours=2), live_list=["after"]),
        song(at=AT + timedelta(minutes=2), user_name="bob", live_list=["bob's"]),
        song("other", live_list=["another song's"]),
    ]
    parallel_runs.record(connection, run.run_id, [], songs)
    found = parallel_runs.feedback_after(connection, run.run_id)
    assert [row["live_list"] for row in found] == [["late"], ["bob's"]]


def test_feedback_during_a_run(connection: Connection) -> None:
    run = start(connection)
    records: list[CatalogueRecord] = [Song(song_id="s", title="S"), Playlist(playlist_id="a", name="A")]
    for user, at in (("ann", run.started_at + timedelta(minutes=1)), ("bob", run.started_at - timedelta(minutes=1))):
        records.append(Feedback(user=user, song_id="s", playlist_id="a", verdict=Verdict.REJECT, at=at))
    catalogue.merge(connection, enumerate(records, start=1))
    assert parallel_runs.feedback_during(connection, run.run_id) == [{"user_name": "ann", "verdict": "reject"}]
