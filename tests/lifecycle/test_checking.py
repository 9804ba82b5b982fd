"""The facts behind the triggers, from a real catalogue and real datasets."""

import shutil
from datetime import UTC, datetime, timedelta

from lifecycle.checking import check_triggers, read_facts
from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.workspace import Workspace
from registry.database import Connection

NOW = datetime.now(UTC)


def _say(connection: Connection, verdict: str, songs: int, playlist: str, at: datetime, start: int = 0) -> None:
    """A user says the same of so many songs."""
    connection.execute(
        "INSERT INTO feedback (user_name, song_id, playlist_id, verdict, at) "
        "SELECT 'user', song_id, %(playlist)s, %(verdict)s, %(at)s FROM songs ORDER BY song_id "
        "OFFSET %(start)s LIMIT %(songs)s",
        {"playlist": playlist, "verdict": verdict, "at": at, "songs": songs, "start": start},
    )


def _playlists(connection: Connection) -> list[str]:
    return [row["playlist_id"] for row in connection.execute("SELECT playlist_id FROM playlists ORDER BY playlist_id")]


def test_while_the_base_model_is_live_every_pair_is_new(trained: Workspace) -> None:
    facts = read_facts(trained, NOW)
    assert (facts.live, facts.base, facts.candidate) == ("v1", True, "v2")
    assert facts.new_pairs == facts.usable_pairs > 100


def test_once_a_version_is_live_only_what_came_since_is_new(trained: Workspace) -> None:
    promote(trained, "v2", Silent(), force=True, reason="a test")
    facts = read_facts(trained, NOW)
    assert (facts.live, facts.base, facts.new_pairs) == ("v2", False, 0)

    with trained.database.transaction() as connection:
        connection.execute(
            "INSERT INTO songs (song_id, title, artist) SELECT 'new-' || n, md5('t' || n), md5('a' || n) "
            "FROM generate_series(1, 5) n"
        )
        connection.execute(
            "INSERT INTO memberships (playlist_id, song_id, source) "
            "SELECT %s, 'new-' || n, 'curated' FROM generate_series(1, 5) n",
            [_playlists(connection)[0]],
        )
    assert read_facts(trained, NOW).new_pairs == 5


def test_without_the_dataset_the_new_pairs_cannot_be_told_and_the_rest_can(trained: Workspace) -> None:
    promote(trained, "v2", Silent(), force=True, reason="a test")
    shutil.rmtree(trained.datasets)
    checked = check_triggers(trained, now=NOW)
    found = {each.name: each.holds for each in checked.triggers}
    assert found["new_pairs"] is None
    assert found["quarter"] is False
    assert not checked.due
    assert check_triggers(trained, now=NOW + timedelta(days=93)).due


def test_feedback_since_the_promotion_makes_a_genre_and_a_playlist_due(trained: Workspace) -> None:
    promote(trained, "v2", Silent(), force=True, reason="a test")
    with trained.database.transaction() as connection:
        first, second, *_ = _playlists(connection)
        connection.execute("UPDATE playlists SET genre = 'jazz' WHERE playlist_id = %s", [first])
        connection.execute("UPDATE playlists SET genre = 'rock' WHERE playlist_id <> %s", [first])
        before, since = NOW - timedelta(days=400), datetime.now(UTC) + timedelta(seconds=1)
        _say(connection, "accept", 35, first, before)
        _say(connection, "reject", 25, first, since)
        _say(connection, "accept", 10, first, since, start=25)
        _say(connection, "accept", 40, second, since)
    found = {each.name: each for each in check_triggers(trained, now=NOW).triggers}
    assert found["reject_rate"].holds
    assert "jazz 25 of 35 against" in found["reject_rate"].figure, found["reject_rate"]
    assert found["playlist_feedback"].holds
    assert not found["moves"].holds


def test_a_newer_evaluation_of_the_live_version_is_compared_with_its_own(trained: Workspace) -> None:
    promote(trained, "v2", Silent(), force=True, reason="a test")
    assert read_facts(trained, NOW).hits is None
    with trained.database.transaction() as connection:
        connection.execute(
            "INSERT INTO evaluations (version, dataset, report) VALUES "
            """('v2', 'newer', '{"genres": {"jazz": {"n": 40, "top5": 0.1}}}')"""
        )
    hits = read_facts(trained, NOW).hits
    assert hits is not None
    older, newer = hits
    assert (newer["jazz"].n, newer["jazz"].top5) == (40, 4)
    assert older
    assert all(0 <= each.top5 <= each.n for each in older.values())


def test_an_empty_catalogue_needs_nothing(workspace: Workspace) -> None:
    checked = check_triggers(workspace)
    assert not checked.due
    assert checked.as_json()["live"] is None
