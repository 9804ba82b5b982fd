"""Both versions on the same songs, without traffic."""

import json
from pathlib import Path

import pytest

from lifecycle.parallel import running
from lifecycle.parallel.replay import replay_file, replay_recent
from lifecycle.progress import Silent
from lifecycle.workspace import Workspace
from registry import catalogue
from registry.errors import BadInput, NotFound, Refused
from registry.parallel_runs import Kind, SampledRequests


def test_songs_of_the_catalogue_are_answered_by_both(trained: Workspace) -> None:
    run = replay_recent(trained, "v2", 50, Silent())
    assert (run.kind, run.candidate, run.live) == (Kind.REPLAY, "v2", "v1")
    found = running.found(trained, "v2")[Kind.REPLAY]
    assert found.run.run_id == run.run_id
    assert found.run.ended_at is not None
    assert found.requests == SampledRequests(seen=50, sampled=50)
    assert found.likeness is not None
    assert found.likeness.n == 50
    assert 0.1 < found.likeness.overlap < 1
    assert found.speed is not None
    assert found.speed.n == 50
    assert found.failures.candidate == 0


def test_a_version_beside_another_that_is_not_live(trained: Workspace) -> None:
    run = replay_recent(trained, "v1", 10, Silent(), against="v2")
    assert (run.candidate, run.live) == ("v1", "v2")
    assert list(running.found(trained, "v1", "v2")) == [Kind.REPLAY]


def test_songs_of_a_file_are_answered_and_not_imported(trained: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    songs = [{"kind": "song", "song_id": f"new-{n}", "title": f"New {n}", "description": "rain"} for n in range(3)]
    file.write_text("\n".join(json.dumps(song) for song in songs))
    replay_file(trained, "v2", file, Silent())
    assert running.found(trained, "v2")[Kind.REPLAY].requests.seen == 3
    with trained.database.transaction() as connection:
        assert catalogue.songs_by_id(connection, ["new-0"]) == {}


def test_a_file_without_songs_or_that_is_none_is_refused(trained: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "lists.jsonl"
    file.write_text('{"kind": "playlist", "playlist_id": "p", "name": "P"}')
    with pytest.raises(NotFound, match="no song to replay"):
        replay_file(trained, "v2", file, Silent())
    with pytest.raises(BadInput):
        replay_file(trained, "v2", tmp_path / "nowhere.jsonl", Silent())


def test_what_cannot_be_compared_is_refused(trained: Workspace) -> None:
    with pytest.raises(Refused, match="with itself"):
        replay_recent(trained, "v1", 10, Silent())
    with pytest.raises(NotFound):
        replay_recent(trained, "v9", 10, Silent())
