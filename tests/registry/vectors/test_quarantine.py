"""Songs set aside, and vectors of what is gone."""

from registry.database import Database
from registry.records import Removal, Song
from registry.vectors.records import Coverage
from registry.vectors.search import nearest_songs
from registry.vectors.vector_set import list_quarantine
from tests.registry.vectors.helpers import COMPLETE, AddVersion, add_songs, build, coverage, create, merge, rows
from tests.support.random_vectors import unit


def test_what_is_set_aside_is_told_with_its_reason_until_it_changes(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 3)
    made, other = create(database, add_version()), create(database, add_version())
    with database.transaction() as connection:
        for pending in made.pending_songs(connection, after="", limit=2):
            made.quarantine(connection, pending, "too odd")
    merge(database, Song(song_id="s-0001", title="Changed"))
    with database.transaction() as connection:
        assert made.quarantined(connection, ["s-0000", "s-0001", "s-0002"]) == {"s-0000": "too odd"}
        assert made.quarantined(connection, ["s-0001"]) == other.quarantined(connection, ["s-0000"]) == {}


def test_a_song_quarantined_as_it_is_now_is_found_by_no_search_and_counts_as_nothing_else(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 3)
    built, other = (build(database, add_version(), attached=True, seed=1) for _ in range(2))
    merge(database, Song(song_id="s-0001", title="Changed, and now too odd"))
    with database.transaction() as connection:
        built.quarantine(connection, built.pending_songs(connection, after="", limit=9)[0], "too odd")
        assert {name for name, _ in nearest_songs(connection, built, unit(1, 8)[0], k=9)} == {"s-0000", "s-0002"}
        assert len(nearest_songs(connection, other, unit(1, 8)[0], k=9)) == 3
    assert coverage(database, built) == Coverage(missing=0, stale=0, quarantined=1, orphaned=0, playlists=0)
    merge(database, Song(song_id="s-0001", title="Changed for the better"))
    with database.transaction() as connection:
        built.release_changed(connection)
    assert coverage(database, built) == Coverage(missing=1, stale=0, quarantined=0, orphaned=0, playlists=0)


def test_a_quarantine_that_the_song_has_outrun_deletes_no_vector(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 1)
    built = build(database, add_version(), attached=True)
    merge(database, Song(song_id="s-0000", title="Too odd"))
    with database.transaction() as connection:
        (pending,) = built.pending_songs(connection, after="", limit=9)
    merge(database, Song(song_id="s-0000", title="Changed again"))
    with database.transaction() as connection:
        built.quarantine(connection, pending, "too odd")
        assert rows(connection, "song_vectors_8") == {"v1": 1}
    assert coverage(database, built).stale == 1


def test_a_quarantined_song_is_tried_again_when_it_has_changed_and_not_before(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 3)
    made = create(database, add_version())
    with database.transaction() as connection:
        pending = made.pending_songs(connection, after="", limit=9)
        for each in pending[:2]:
            made.quarantine(connection, each, "too odd")
        made.release_changed(connection)
        assert [each.song.song_id for each in made.pending_songs(connection, after="", limit=9)] == ["s-0002"]
    merge(database, Song(song_id="s-0000", title="Changed"))
    with database.transaction() as connection:
        made.release_changed(connection)
        assert [row["song_id"] for row in list_quarantine(connection)] == ["s-0001"]
        pending = made.pending_songs(connection, after="", limit=9)
    assert [each.song.song_id for each in pending] == ["s-0000", "s-0002"]


def test_quarantine_is_kept_by_version_with_its_reason(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 3)
    first, second = create(database, add_version()), create(database, add_version())
    with database.transaction() as connection:
        pending = first.pending_songs(connection, after="", limit=1)[0]
        first.quarantine(connection, pending, "too odd")
        first.quarantine(connection, pending, "too long")
        (row,) = list_quarantine(connection)
    assert (row["version"], row["song_id"], row["reason"]) == ("v1", "s-0000", "too long")
    assert (coverage(database, first).quarantined, coverage(database, second).quarantined) == (1, 0)
    assert coverage(database, second).missing == 3


def test_a_song_deleted_meanwhile_is_not_quarantined(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 1)
    made = create(database, add_version())
    with database.transaction() as connection:
        (pending,) = made.pending_songs(connection, after="", limit=9)
    merge(database, Removal(song_id="s-0000"))
    with database.transaction() as connection:
        made.quarantine(connection, pending, "too odd")
        assert list_quarantine(connection) == []


def test_vectors_of_songs_that_are_gone_are_deleted_and_no_others(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 10)
    built = build(database, add_version(), attached=True)
    merge(database, Removal(song_id="s-0003"), Removal(song_id="s-0007"))
    with database.transaction() as connection:
        assert built.delete_orphans(connection) == 2
        assert rows(connection, "song_vectors_8") == {"v1": 8}
    assert coverage(database, built) == COMPLETE


def test_a_vector_whose_song_was_deleted_meanwhile_counts_as_an_orphan(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 2)
    made = create(database, add_version())
    with database.transaction() as connection:
        pending = made.pending_songs(connection, after="", limit=9)
    merge(database, Removal(song_id="s-0001"))
    with database.transaction() as connection:
        made.write_songs(connection, pending, unit(2, 8))
    assert coverage(database, made) == Coverage(missing=0, stale=0, quarantined=0, orphaned=1, playlists=0)
