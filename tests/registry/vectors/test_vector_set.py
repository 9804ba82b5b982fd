"""Vectors of versions: built apart, shown whole, kept up with the catalogue."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from registry.database import Connection, Database
from registry.errors import DatabaseError
from registry.records import Playlist, Removal, Song
from registry.stages import Stage
from registry.texts import content_hash
from registry.vectors import index
from registry.vectors.records import Coverage, PendingSong
from registry.vectors.search import nearest_songs
from registry.vectors.vector_set import VectorSet
from tests.registry.vectors.helpers import (
    COMPLETE,
    AddVersion,
    Explaining,
    add_songs,
    attach,
    build,
    coverage,
    create,
    ids,
    mentioned,
    merge,
    rows,
    tables,
)
from tests.support.random_vectors import unit


def test_a_version_without_tables_has_no_state(database: Database, add_version: AddVersion) -> None:
    with database.transaction() as connection:
        assert VectorSet(add_version()).state(connection) is None


def test_making_the_tables_again_changes_nothing(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 20)
    built = build(database, add_version())
    with database.transaction() as connection:
        built.create(connection)
        state = built.state(connection)
        assert built.coverage(connection) == COMPLETE
    assert state is not None
    assert (state.version, state.dimensions, state.attached) == ("v1", 8, False)


def test_coverage_counts_each_song_by_what_is_wrong_with_it(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 10)
    built = build(database, add_version())
    assert coverage(database, built) == COMPLETE
    merge(database, Song(song_id="new-1", title="N"), Song(song_id="new-2", title="N"))
    assert coverage(database, built) == Coverage(missing=2, stale=0, quarantined=0, orphaned=0, playlists=0)
    merge(database, *(Song(song_id=f"s-000{number}", title="Changed") for number in range(3)))
    assert coverage(database, built) == Coverage(missing=2, stale=3, quarantined=0, orphaned=0, playlists=0)
    merge(database, *(Removal(song_id=f"s-000{number}") for number in range(5, 9)))
    assert coverage(database, built) == Coverage(missing=2, stale=3, quarantined=0, orphaned=4, playlists=0)
    with database.transaction() as connection:
        pending = built.pending_songs(connection, after="", limit=10)
        built.quarantine(connection, pending[0], "too odd")
        built.quarantine(connection, pending[-1], "too odd")
    counts = coverage(database, built)
    assert (counts.missing, counts.stale, counts.quarantined, counts.orphaned) == (1, 2, 2, 4)
    assert not counts.complete


def test_a_song_without_a_rendered_text_is_not_covered(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 5)
    built = build(database, add_version())
    with database.transaction() as connection:
        connection.execute("UPDATE songs SET title = 'By another program' WHERE song_id = 's-0001'")
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('n-1', 'By another program')")
    counts = coverage(database, built)
    assert (counts.missing, counts.stale, counts.complete) == (1, 1, False)


@pytest.mark.parametrize("field", ["missing", "stale", "orphaned", "playlists"])
def test_a_version_is_complete_only_if_nothing_but_the_quarantined_is_lacking(field: str) -> None:
    assert Coverage(missing=0, stale=0, quarantined=7, orphaned=0, playlists=0).complete
    counts = {"missing": 0, "stale": 0, "quarantined": 0, "orphaned": 0, "playlists": 0} | {field: 1}
    assert not Coverage(**counts).complete


def test_pending_songs_come_page_by_page_each_once_with_the_hash_of_their_text(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 25)
    made = create(database, add_version())
    seen: list[PendingSong] = []
    with database.transaction() as connection:
        while page := made.pending_songs(connection, after=seen[-1].song.song_id if seen else "", limit=10):
            seen += page
    assert [each.song.song_id for each in seen] == [f"s-{number:04}" for number in range(25)]
    assert seen[3].content_hash == content_hash("Song 3.")


def test_a_vector_written_again_is_replaced(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 5)
    built = build(database, add_version(), attached=True)
    merge(database, Song(song_id="s-0002", title="Changed"))
    vector = unit(1, 8, seed=99)
    with database.transaction() as connection:
        assert built.song_vectors(connection, ["s-0002"]) == {}
        pending = built.pending_songs(connection, after="", limit=10)
        assert [each.song.song_id for each in pending] == ["s-0002"]
        built.write_songs(connection, pending, vector)
        np.testing.assert_allclose(built.song_vectors(connection, ["s-0002"])["s-0002"], vector[0], atol=1e-3)
    assert coverage(database, built) == COMPLETE


def test_vectors_come_back_as_they_were_written(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 50)
    built = build(database, add_version(), attached=True, seed=3)
    with database.transaction() as connection:
        found = built.song_vectors(connection, [*ids(50), "nobody"])
    assert sorted(found) == ids(50)
    np.testing.assert_allclose(np.stack([found[name] for name in ids(50)]), unit(50, 8, seed=3), atol=1e-3)


def test_writing_nothing_works(database: Database, add_version: AddVersion) -> None:
    made = create(database, add_version())
    with database.transaction() as connection:
        made.write_songs(connection, [], np.zeros((0, 8), np.float32))
        made.write_profiles(connection, [])
    assert coverage(database, made) == COMPLETE


def test_vectors_of_other_dimensions_are_refused(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 3)
    made = create(database, add_version())
    with pytest.raises(DatabaseError), database.transaction() as connection:
        made.write_songs(connection, made.pending_songs(connection, after="", limit=9), unit(3, 16))
    assert coverage(database, made).missing == 3


def test_looking_up_songs_vectors_reads_only_those_songs(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 2_000)
    _, built = (build(database, add_version(), attached=True, seed=seed) for seed in (1, 2))
    with database.transaction() as connection:
        connection.execute("ANALYZE")
        watched, explaining = Explaining.around(connection)
        built.song_vectors(watched, ["s-0001", "s-0002"])
    (plan,) = explaining.plans
    assert mentioned(plan, "Relation Name") == {"song_vectors_8_v2", "song_texts"}
    assert "Seq Scan" not in mentioned(plan, "Node Type")


# Showing a version --------------------------------------------------------------------------------------------------


def test_a_half_built_version_is_invisible(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 40)
    whole = build(database, add_version(), attached=True)
    half = create(database, add_version())
    with database.transaction() as connection:
        page = half.pending_songs(connection, after="", limit=20)
        half.write_songs(connection, page, unit(20, 8, seed=5))
    with database.transaction() as connection:
        state = half.state(connection)
        assert state is not None
        assert not state.attached
        assert nearest_songs(connection, half, unit(1, 8)[0], k=5) == []
        assert half.song_vectors(connection, ids(40)) == {}
        assert half.profiles(connection) == []
        assert rows(connection, "song_vectors_8") == {"v1": 40}
        assert len(nearest_songs(connection, whole, unit(1, 8)[0], k=5)) == 5


@pytest.mark.parametrize("scale", [0.0, 0.9, 1.1])
def test_one_vector_that_is_not_of_length_one_keeps_the_version_invisible(
    database: Database, add_version: AddVersion, scale: float
) -> None:
    add_songs(database, 30)
    version = add_version(stage=Stage.EMBEDDING)
    made = create(database, version)
    matrix = unit(30, 8)
    matrix[17] *= scale
    with database.transaction() as connection:
        made.write_songs(connection, made.pending_songs(connection, after="", limit=99), matrix)
    with database.transaction() as connection:
        before = layout(connection)
    with pytest.raises(DatabaseError) as refused, database.transaction() as connection:
        made.attach(connection)
    assert "1 of the 30" in refused.value.fact
    assert "autosort retire v1" in refused.value.remedy
    with database.transaction() as connection:
        assert layout(connection) == before
        state = made.state(connection)
        assert state is not None
        assert not state.attached
        assert nearest_songs(connection, made, unit(1, 8)[0], k=5) == []


def test_one_playlist_whose_text_vector_is_not_of_length_one_keeps_the_version_invisible(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 3)
    merge(database, Playlist(playlist_id="p-1", name="One"), Playlist(playlist_id="p-2", name="Two"))
    built = build(database, add_version())
    with database.transaction() as connection:
        connection.execute(
            "UPDATE playlist_vectors_8_v1 SET embedding = %s::halfvec WHERE playlist_id = 'p-2'", [str([0.5] * 8)]
        )
    with pytest.raises(DatabaseError, match="1 of the 5"):
        attach(database, built)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_vector_that_is_not_a_number_never_gets_into_a_table(
    database: Database, add_version: AddVersion, number: float
) -> None:
    add_songs(database, 3)
    made = create(database, add_version())
    matrix = unit(3, 8)
    matrix[1, 4] = number
    with pytest.raises(DatabaseError), database.transaction() as connection:
        made.write_songs(connection, made.pending_songs(connection, after="", limit=9), matrix)
    assert coverage(database, made).missing == 3


def test_of_two_that_make_the_tables_at_once_both_find_them_made(database: Database, add_version: AddVersion) -> None:
    version = add_version()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: create(database, version), range(2))
    assert coverage(database, first) == coverage(database, second) == COMPLETE


def test_making_sure_of_the_tables_of_a_version_waits_for_none_of_its_readers(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 30)
    built = build(database, add_version(), attached=True)
    with database.transaction() as reader:
        assert built.song_vectors(reader, ["s-0001"])
        with database.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '300ms'")
            built.create(connection)


def test_attaching_a_version_waits_for_no_reader_of_another(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 30)
    first, second = build(database, add_version(), attached=True), build(database, add_version())
    with database.transaction() as reader:
        assert first.song_vectors(reader, ["s-0001"])
        with database.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '300ms'")
            second.attach(connection)
            state = second.state(connection)
    assert state is not None
    assert state.attached


def test_attaching_again_changes_nothing(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 30)
    built = build(database, add_version(), attached=True)
    with database.transaction() as connection:
        before = layout(connection)
        built.attach(connection)
        assert layout(connection) == before
        assert rows(connection, "song_vectors_8") == {"v1": 30}


def test_a_version_of_an_empty_catalogue_can_be_attached(database: Database, add_version: AddVersion) -> None:
    built = build(database, add_version(), attached=True)
    with database.transaction() as connection:
        assert nearest_songs(connection, built, unit(1, 8)[0], k=5) == []
        assert index.is_valid(connection, built)


def test_an_attachment_that_is_rolled_back_leaves_the_version_invisible(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 30)
    built = build(database, add_version())
    with database.transaction() as connection:
        before = layout(connection)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        built.attach(connection)
        raise RuntimeError
    with database.transaction() as connection:
        assert layout(connection) == before
        built.attach(connection)
        assert rows(connection, "song_vectors_8") == {"v1": 30}


def test_of_two_that_attach_at_once_both_find_it_done(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 100)
    built = build(database, add_version())

    def show(_: int) -> bool:
        with database.transaction() as connection:
            built.attach(connection)
            state = built.state(connection)
        return state is not None and state.attached

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(show, range(2))) == [True, True]


def layout(connection: Connection) -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """All tables and indexes of vectors, which is part of which, and the books and stages of versions."""
    parts = connection.execute("SELECT inhrelid::regclass::text AS part FROM pg_inherits ORDER BY 1").fetchall()
    books = connection.execute("SELECT vector_sets.*, stage FROM vector_sets JOIN model_versions USING (version)")
    return sorted(tables(connection)), parts, books.fetchall()
