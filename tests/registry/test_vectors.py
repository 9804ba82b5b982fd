"""Vectors of versions: built apart, shown whole, searched alone, kept up with the catalogue, freed at once.

No model is needed: the vectors are random and of length 1.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString, cast

import numpy as np
import numpy.typing as npt
import psycopg
import pytest
from psycopg import sql

from registry import catalogue, vectors
from registry.database import Connection, Database
from registry.errors import BadInput, DatabaseError
from registry.records import AudioFeatures, CatalogueRecord, Membership, Playlist, Removal, Song
from registry.settings import RegistrySettings
from registry.stages import Stage
from registry.texts import content_hash, render_playlist
from registry.vectors import Coverage, FreshProfile, Matrix, PendingSong, StoredProfile, VectorSet
from registry.versions import ModelVersion

Vector = npt.NDArray[np.float32]
AddVersion = Callable[..., ModelVersion]
COMPLETE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)


def test_a_version_without_tables_has_no_state(database: Database, add_version: AddVersion) -> None:
    with database.transaction() as connection:
        assert VectorSet(add_version()).state(connection) is None


def test_making_the_tables_again_changes_nothing(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 20)
    built = _build(database, add_version())
    with database.transaction() as connection:
        built.create(connection)
        state = built.state(connection)
        assert built.coverage(connection) == COMPLETE
    assert state is not None
    assert (state.version, state.dimensions, state.attached) == ("v1", 8, False)


def test_coverage_counts_each_song_by_what_is_wrong_with_it(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 10)
    built = _build(database, add_version())
    assert _coverage(database, built) == COMPLETE
    _merge(database, Song(song_id="new-1", title="N"), Song(song_id="new-2", title="N"))
    assert _coverage(database, built) == Coverage(missing=2, stale=0, quarantined=0, orphaned=0, playlists=0)
    _merge(database, *(Song(song_id=f"s-000{number}", title="Changed") for number in range(3)))
    assert _coverage(database, built) == Coverage(missing=2, stale=3, quarantined=0, orphaned=0, playlists=0)
    _merge(database, *(Removal(song_id=f"s-000{number}") for number in range(5, 9)))
    assert _coverage(database, built) == Coverage(missing=2, stale=3, quarantined=0, orphaned=4, playlists=0)
    with database.transaction() as connection:
        pending = built.pending_songs(connection, after="", limit=10)
        built.quarantine(connection, pending[0], "too odd")
        built.quarantine(connection, pending[-1], "too odd")
    counts = _coverage(database, built)
    assert (counts.missing, counts.stale, counts.quarantined, counts.orphaned) == (1, 2, 2, 4)
    assert not counts.complete


def test_what_is_set_aside_is_told_with_its_reason_until_it_changes(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 3)
    made, other = _create(database, add_version()), _create(database, add_version())
    with database.transaction() as connection:
        for pending in made.pending_songs(connection, after="", limit=2):
            made.quarantine(connection, pending, "too odd")
    _merge(database, Song(song_id="s-0001", title="Changed"))
    with database.transaction() as connection:
        assert made.quarantined(connection, ["s-0000", "s-0001", "s-0002"]) == {"s-0000": "too odd"}
        assert made.quarantined(connection, ["s-0001"]) == other.quarantined(connection, ["s-0000"]) == {}


def test_a_song_without_a_rendered_text_is_not_covered(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 5)
    built = _build(database, add_version())
    with database.transaction() as connection:
        connection.execute("UPDATE songs SET title = 'By another program' WHERE song_id = 's-0001'")
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('n-1', 'By another program')")
    counts = _coverage(database, built)
    assert (counts.missing, counts.stale, counts.complete) == (1, 1, False)


@pytest.mark.parametrize("field", ["missing", "stale", "orphaned", "playlists"])
def test_a_version_is_complete_only_if_nothing_but_the_quarantined_is_lacking(field: str) -> None:
    assert Coverage(missing=0, stale=0, quarantined=7, orphaned=0, playlists=0).complete
    counts = {"missing": 0, "stale": 0, "quarantined": 0, "orphaned": 0, "playlists": 0} | {field: 1}
    assert not Coverage(**counts).complete


def test_pending_songs_come_page_by_page_each_once_with_the_hash_of_their_text(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 25)
    made = _create(database, add_version())
    seen: list[PendingSong] = []
    with database.transaction() as connection:
        while page := made.pending_songs(connection, after=seen[-1].song.song_id if seen else "", limit=10):
            seen += page
    assert [each.song.song_id for each in seen] == [f"s-{number:04}" for number in range(25)]
    assert seen[3].content_hash == content_hash("Song 3.")


def test_a_vector_written_again_is_replaced(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 5)
    built = _build(database, add_version(), attach=True)
    _merge(database, Song(song_id="s-0002", title="Changed"))
    vector = _unit(1, 8, seed=99)
    with database.transaction() as connection:
        assert built.song_vectors(connection, ["s-0002"]) == {}
        pending = built.pending_songs(connection, after="", limit=10)
        assert [each.song.song_id for each in pending] == ["s-0002"]
        built.write_songs(connection, pending, vector)
        np.testing.assert_allclose(built.song_vectors(connection, ["s-0002"])["s-0002"], vector[0], atol=1e-3)
    assert _coverage(database, built) == COMPLETE


def test_vectors_come_back_as_they_were_written(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 50)
    built = _build(database, add_version(), attach=True, seed=3)
    with database.transaction() as connection:
        found = built.song_vectors(connection, [*_ids(50), "nobody"])
    assert sorted(found) == _ids(50)
    np.testing.assert_allclose(np.stack([found[name] for name in _ids(50)]), _unit(50, 8, seed=3), atol=1e-3)


def test_writing_nothing_works(database: Database, add_version: AddVersion) -> None:
    made = _create(database, add_version())
    with database.transaction() as connection:
        made.write_songs(connection, [], np.zeros((0, 8), np.float32))
        made.write_profiles(connection, [])
    assert _coverage(database, made) == COMPLETE


def test_vectors_of_other_dimensions_are_refused(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 3)
    made = _create(database, add_version())
    with pytest.raises(DatabaseError), database.transaction() as connection:
        made.write_songs(connection, made.pending_songs(connection, after="", limit=9), _unit(3, 16))
    assert _coverage(database, made).missing == 3


# Showing a version --------------------------------------------------------------------------------------------------


def test_a_half_built_version_is_invisible(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 40)
    whole = _build(database, add_version(), attach=True)
    half = _create(database, add_version())
    with database.transaction() as connection:
        page = half.pending_songs(connection, after="", limit=20)
        half.write_songs(connection, page, _unit(20, 8, seed=5))
    with database.transaction() as connection:
        state = half.state(connection)
        assert state is not None
        assert not state.attached
        assert half.nearest_songs(connection, _unit(1, 8)[0], k=5) == []
        assert half.song_vectors(connection, _ids(40)) == {}
        assert half.profiles(connection) == []
        assert _rows(connection, "song_vectors_8") == {"v1": 40}
        assert len(whole.nearest_songs(connection, _unit(1, 8)[0], k=5)) == 5


def test_an_attached_version_is_visible_with_a_valid_index_whose_recall_is_on_record(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 300)
    built = _build(database, add_version())
    with database.transaction() as connection:
        assert not built.index_valid(connection)
        attached = built.attach(connection)
        assert built.attach(connection) == built.state(connection)
        assert built.index_valid(connection)
    assert attached.attached
    assert attached.index_recall is not None
    assert 0.95 <= attached.index_recall <= 1
    with database.transaction() as connection:
        state = built.state(connection)
        assert _rows(connection, "song_vectors_8") == {"v1": 300}
    assert state is not None
    assert state.index_recall == pytest.approx(attached.index_recall, abs=1e-6)


def test_a_version_of_an_empty_catalogue_can_be_attached(database: Database, add_version: AddVersion) -> None:
    built = _build(database, add_version(), attach=True)
    with database.transaction() as connection:
        assert built.nearest_songs(connection, _unit(1, 8)[0], k=5) == []
        assert built.index_valid(connection)


@pytest.mark.parametrize("scale", [0.0, 0.9, 1.1])
def test_one_vector_that_is_not_of_length_one_keeps_the_version_invisible(
    database: Database, add_version: AddVersion, scale: float
) -> None:
    _add_songs(database, 30)
    version = add_version(stage=Stage.EMBEDDING)
    made = _create(database, version)
    matrix = _unit(30, 8)
    matrix[17] *= scale
    with database.transaction() as connection:
        made.write_songs(connection, made.pending_songs(connection, after="", limit=99), matrix)
    with database.transaction() as connection:
        before = _layout(connection)
    with pytest.raises(DatabaseError) as refused, database.transaction() as connection:
        made.attach(connection)
    assert "1 of the 30" in refused.value.fact
    assert "autosort retire v1" in refused.value.remedy
    with database.transaction() as connection:
        assert _layout(connection) == before
        state = made.state(connection)
        assert state is not None
        assert not state.attached
        assert made.nearest_songs(connection, _unit(1, 8)[0], k=5) == []


def test_one_playlist_whose_text_vector_is_not_of_length_one_keeps_the_version_invisible(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 3)
    _merge(database, Playlist(playlist_id="p-1", name="One"), Playlist(playlist_id="p-2", name="Two"))
    built = _build(database, add_version())
    with database.transaction() as connection:
        connection.execute(
            "UPDATE playlist_vectors_8_v1 SET embedding = %s::halfvec WHERE playlist_id = 'p-2'", [str([0.5] * 8)]
        )
    with pytest.raises(DatabaseError, match="1 of the 5"):
        _attach(database, built)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_vector_that_is_not_a_number_never_gets_into_a_table(
    database: Database, add_version: AddVersion, number: float
) -> None:
    _add_songs(database, 3)
    made = _create(database, add_version())
    matrix = _unit(3, 8)
    matrix[1, 4] = number
    with pytest.raises(DatabaseError), database.transaction() as connection:
        made.write_songs(connection, made.pending_songs(connection, after="", limit=9), matrix)
    assert _coverage(database, made).missing == 3


def test_an_attachment_that_is_rolled_back_leaves_the_version_invisible(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 30)
    built = _build(database, add_version())
    with database.transaction() as connection:
        before = _layout(connection)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        built.attach(connection)
        raise RuntimeError
    with database.transaction() as connection:
        assert _layout(connection) == before
        assert not built.index_valid(connection)
        assert built.attach(connection).attached


def test_of_two_that_attach_at_once_both_find_it_done(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 100)
    built = _build(database, add_version())

    def attach(_: int) -> bool:
        with database.transaction() as connection:
            return built.attach(connection).attached

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(attach, range(2))) == [True, True]


def test_rows_written_after_attaching_are_visible_at_once(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 30)
    built = _build(database, add_version(), attach=True)
    _merge(database, Song(song_id="new", title="New"))
    vector = _unit(1, 8, seed=42)
    with database.transaction() as connection:
        built.write_songs(connection, built.pending_songs(connection, after="", limit=9), vector)
    with database.transaction() as connection:
        ((name, cosine),) = built.nearest_songs(connection, vector[0], k=1)
    assert name == "new"
    assert cosine == pytest.approx(1, abs=1e-2)


def test_of_two_that_make_the_tables_at_once_both_find_them_made(database: Database, add_version: AddVersion) -> None:
    version = add_version()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: _create(database, version), range(2))
    assert _coverage(database, first) == _coverage(database, second) == COMPLETE


def test_making_sure_of_the_tables_of_a_version_waits_for_none_of_its_readers(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 30)
    built = _build(database, add_version(), attach=True)
    with database.transaction() as reader:
        built.nearest_songs(reader, _unit(1, 8)[0], k=5)
        with database.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '300ms'")
            built.create(connection)


def test_attaching_a_version_waits_for_no_reader_of_another(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 30)
    first, second = _build(database, add_version(), attach=True), _build(database, add_version())
    with database.transaction() as reader:
        first.nearest_songs(reader, _unit(1, 8)[0], k=5)
        with database.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '300ms'")
            assert second.attach(connection).attached


# Searching ----------------------------------------------------------------------------------------------------------


def test_the_nearest_songs_are_those_of_an_exact_search(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 500)
    built = _build(database, add_version(), attach=True, seed=1)
    matrix, probes, hits = _unit(500, 8, seed=1), _unit(20, 8, seed=2), 0
    with database.transaction() as connection:
        for probe in probes:
            cosines = matrix @ probe
            best = {_ids(500)[row] for row in np.argsort(-cosines)[:10]}
            found = built.nearest_songs(connection, probe, k=10)
            assert len(found) == 10
            hits += len(best & {name for name, _ in found})
            assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
            np.testing.assert_allclose(
                [cosine for _, cosine in found], [cosines[_ids(500).index(name)] for name, _ in found], atol=5e-3
            )
    assert hits / 200 >= 0.95


@pytest.mark.parametrize("k", [1, 150, 400])
def test_as_many_songs_are_found_as_are_asked_for(database: Database, add_version: AddVersion, k: int) -> None:
    _add_songs(database, 500)
    built = _build(database, add_version(), attach=True)
    with database.transaction() as connection:
        for other_way in ("seqscan", "bitmapscan", "sort"):
            connection.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(f"enable_{other_way}")))
        found = built.nearest_songs(connection, _unit(1, 8)[0], k=k)
    assert len({name for name, _ in found}) == k


def test_more_songs_than_an_index_can_find_are_refused(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 3)
    built = _build(database, add_version(), attach=True)
    with database.transaction() as connection:
        assert len(built.nearest_songs(connection, _unit(1, 8)[0], k=1000)) == 3
        with pytest.raises(BadInput, match="1001"):
            built.nearest_songs(connection, _unit(1, 8)[0], k=1001)


@pytest.mark.parametrize("dimensions", [8, 16])
def test_two_versions_live_side_by_side_and_never_mix(
    database: Database, add_version: AddVersion, dimensions: int
) -> None:
    _add_songs(database, 60)
    first = _build(database, add_version(8), attach=True, seed=1)
    second = _build(database, add_version(dimensions), attach=True, seed=2)
    probes = _unit(1, 8, seed=3)[0], _unit(1, dimensions, seed=4)[0]
    with database.transaction() as connection:
        before = first.nearest_songs(connection, probes[0], k=60)
        beside = second.nearest_songs(connection, probes[1], k=60)
        assert len({name for name, _ in before}) == len({name for name, _ in beside}) == 60
        np.testing.assert_allclose(
            sorted((cosine for _, cosine in beside), reverse=True),
            np.sort(_unit(60, dimensions, seed=2) @ probes[1])[::-1],
            atol=5e-3,
        )
        assert second.song_vectors(connection, ["s-0000"])["s-0000"].shape == (dimensions,)
    _merge(database, Song(song_id="s-0000", title="Changed"))
    with database.transaction() as connection:
        pending = second.pending_songs(connection, after="", limit=9)
        second.write_songs(connection, pending, _unit(1, dimensions, seed=5))
        assert second.coverage(connection) == COMPLETE
        assert first.coverage(connection).stale == 1
        assert first.nearest_songs(connection, probes[0], k=60) == before
    second.drop(database)
    with database.transaction() as connection:
        assert first.nearest_songs(connection, probes[0], k=60) == before


@pytest.mark.parametrize(
    "analyzed",
    [
        False,
        True,
    ],
)
def test_a_search_uses_the_versions_own_index_and_touches_no_other_version(
    database: Database, add_version: AddVersion, *, analyzed: bool
) -> None:
    _add_songs(database, 2_000)
    for seed in (1, 2):
        _build(database, add_version(), attach=True, seed=seed)
    with database.transaction() as connection:
        # What autovacuum has not come to yet must not matter; a table just made has no statistics.
        connection.execute("ANALYZE" if analyzed else "SELECT 1")
    searched = VectorSet(_version(database, "v2"))
    with database.transaction() as connection:
        explaining = Explaining(connection)
        searched.nearest_songs(cast("Connection", explaining), _unit(1, 8)[0], k=20)
    (plan,) = explaining.plans
    assert _mentioned(plan, "Relation Name") == {"song_vectors_8_v2"}
    assert _mentioned(plan, "Index Name") == {"song_vectors_8_v2_hnsw"}


def test_looking_up_songs_vectors_reads_only_those_songs(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 2_000)
    for seed in (1, 2):
        _build(database, add_version(), attach=True, seed=seed)
    with database.transaction() as connection:
        connection.execute("ANALYZE")
        explaining = Explaining(connection)
        VectorSet(_version(database, "v2")).song_vectors(cast("Connection", explaining), ["s-0001", "s-0002"])
    (plan,) = explaining.plans
    assert _mentioned(plan, "Relation Name") == {"song_vectors_8_v2", "song_texts"}
    assert "Seq Scan" not in _mentioned(plan, "Node Type")


# Playlists' profiles ------------------------------------------------------------------------------------------------


def test_a_profile_holds_text_centroid_and_means_of_what_is_known(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 4)
    _merge(
        database,
        Song(song_id="s-0000", title="Song 0", audio_features=AudioFeatures(energy=0.2, tempo=100, key=4)),
        Song(song_id="s-0001", title="Song 1", audio_features=AudioFeatures(energy=0.6)),
        Song(song_id="s-0002", title="Song 2", audio_features=AudioFeatures(loudness=-6)),
        Playlist(playlist_id="p-1", name="Night Bus", description="Home", genre="rock", subgenre="slow", owner="ada"),
        *(Membership(playlist_id="p-1", song_id=name) for name in _ids(3)),
    )
    built = _build(database, add_version(), attach=True, seed=1)
    (profile,) = _profiles(database, built)
    centroid = _unit(4, 8, seed=1)[:3].mean(axis=0)
    assert profile.centroid is not None
    np.testing.assert_allclose(profile.centroid, centroid / np.linalg.norm(centroid), atol=2e-3)
    np.testing.assert_allclose(profile.embedding, _text_vector("p-1", 8), atol=1e-3)
    assert profile.playlist == Playlist(
        playlist_id="p-1", name="Night Bus", description="Home", genre="rock", subgenre="slow", owner="ada"
    )
    assert profile.song_count == 3
    assert profile.acoustic == pytest.approx({"energy": 0.4, "tempo": 100, "loudness": -6})


def test_an_empty_playlist_has_a_text_and_nothing_else(database: Database, add_version: AddVersion) -> None:
    _merge(database, Playlist(playlist_id="p-1", name="Empty"))
    (profile,) = _profiles(database, _build(database, add_version(), attach=True))
    assert (profile.centroid, profile.song_count, profile.acoustic) == (None, 0, {})


def test_profiles_come_by_id_each_with_its_own_songs(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 6)
    for number, name in enumerate(("b", "a", "C")):
        _merge(
            database,
            Playlist(playlist_id=name, name=name),
            *(Membership(playlist_id=name, song_id=song) for song in _ids(6)[2 * number : 2 * number + 2]),
        )
    found = _profiles(database, _build(database, add_version(), attach=True, seed=1))
    assert [each.playlist.playlist_id for each in found] == ["C", "a", "b"]
    centroid = _unit(6, 8, seed=1)[2:4].mean(axis=0)
    assert found[1].centroid is not None
    np.testing.assert_allclose(found[1].centroid, centroid / np.linalg.norm(centroid), atol=2e-3)


def test_a_playlist_that_changes_is_pending_until_its_profile_is_written(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 4)
    _merge(database, Playlist(playlist_id="p-1", name="One"), Playlist(playlist_id="p-2", name="Two"))
    built = _build(database, add_version(), attach=True)
    assert _coverage(database, built) == COMPLETE
    _merge(database, Membership(playlist_id="p-2", song_id="s-0001"))
    assert _coverage(database, built).playlists == 1
    with database.transaction() as connection:
        (pending,) = built.pending_playlists(connection, after="", limit=9)
        assert built.pending_playlists(connection, after="p-2", limit=9) == []
    assert pending.playlist.playlist_id == "p-2"
    assert pending.known_hash == content_hash(render_playlist(pending.playlist))
    _write_profiles(database, built)
    assert _coverage(database, built) == COMPLETE
    assert _profiles(database, built)[1].song_count == 1


def test_a_profile_without_a_new_text_vector_keeps_the_one_it_has(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 2)
    _merge(database, Playlist(playlist_id="p-1", name="One"))
    built = _build(database, add_version(), attach=True)
    _merge(database, Membership(playlist_id="p-1", song_id="s-0001"))
    with database.transaction() as connection:
        (pending,) = built.pending_playlists(connection, after="", limit=9)
        assert pending.known_hash is not None
        built.write_profiles(connection, [FreshProfile("p-1", pending.revision, pending.known_hash, None)])
    (profile,) = _profiles(database, built)
    np.testing.assert_allclose(profile.embedding, _text_vector("p-1", 8), atol=1e-3)
    assert profile.song_count == 1


def test_a_profile_made_while_a_members_vector_is_not_current_stays_pending(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 3)
    _merge(
        database,
        Playlist(playlist_id="p-1", name="One"),
        *(Membership(playlist_id="p-1", song_id=name) for name in _ids(3)),
    )
    built = _build(database, add_version(), attach=True)
    changes: list[tuple[CatalogueRecord, ...]] = [
        (Song(song_id="s-0001", title="Stale"),),
        (Song(song_id="new", title="Missing"), Membership(playlist_id="p-1", song_id="new")),
    ]
    for change in changes:
        _merge(database, *change)
        _write_profiles(database, built)
        assert _coverage(database, built).playlists == 1
        with database.transaction() as connection:
            row = connection.execute("SELECT revision FROM playlist_vectors_8").fetchone()
        assert row == {"revision": 0}
        _write_songs(database, built)
        _write_profiles(database, built)
        assert _coverage(database, built) == COMPLETE


def test_a_quarantined_member_does_not_hold_its_playlist_up(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 3)
    _merge(
        database,
        Playlist(playlist_id="p-1", name="One"),
        *(Membership(playlist_id="p-1", song_id=name) for name in _ids(3)),
    )
    made = _create(database, add_version())
    with database.transaction() as connection:
        made.quarantine(connection, made.pending_songs(connection, after="", limit=9)[1], "too odd")
    _write_songs(database, made, seed=1)
    _write_profiles(database, made)
    _attach(database, made)
    counts = _coverage(database, made)
    assert (counts.complete, counts.quarantined) == (True, 1)
    (profile,) = _profiles(database, made)
    centroid = _unit(2, 8, seed=1).mean(axis=0)
    assert profile.centroid is not None
    assert profile.song_count == 3
    np.testing.assert_allclose(profile.centroid, centroid / np.linalg.norm(centroid), atol=2e-3)


def test_the_outdated_vector_of_a_quarantined_song_is_in_no_centroid(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 3)
    _merge(
        database,
        Playlist(playlist_id="p-1", name="One"),
        *(Membership(playlist_id="p-1", song_id=name) for name in _ids(3)),
    )
    built = _build(database, add_version(), attach=True, seed=1)
    _merge(database, Song(song_id="s-0001", title="Changed, and now too odd"))
    with database.transaction() as connection:
        built.quarantine(connection, built.pending_songs(connection, after="", limit=9)[0], "too odd")
    _write_profiles(database, built)
    (profile,) = _profiles(database, built)
    centroid = _unit(3, 8, seed=1)[[0, 2]].mean(axis=0)
    assert profile.centroid is not None
    np.testing.assert_allclose(profile.centroid, centroid / np.linalg.norm(centroid), atol=2e-3)


def test_a_song_quarantined_as_it_is_now_is_found_by_no_search_and_counts_as_nothing_else(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 3)
    built, other = (_build(database, add_version(), attach=True, seed=1) for _ in range(2))
    _merge(database, Song(song_id="s-0001", title="Changed, and now too odd"))
    with database.transaction() as connection:
        built.quarantine(connection, built.pending_songs(connection, after="", limit=9)[0], "too odd")
        assert {name for name, _ in built.nearest_songs(connection, _unit(1, 8)[0], k=9)} == {"s-0000", "s-0002"}
        assert len(other.nearest_songs(connection, _unit(1, 8)[0], k=9)) == 3
    assert _coverage(database, built) == Coverage(missing=0, stale=0, quarantined=1, orphaned=0, playlists=0)
    _merge(database, Song(song_id="s-0001", title="Changed for the better"))
    with database.transaction() as connection:
        built.release_changed(connection)
    assert _coverage(database, built) == Coverage(missing=1, stale=0, quarantined=0, orphaned=0, playlists=0)


def test_a_quarantine_that_the_song_has_outrun_deletes_no_vector(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 1)
    built = _build(database, add_version(), attach=True)
    _merge(database, Song(song_id="s-0000", title="Too odd"))
    with database.transaction() as connection:
        (pending,) = built.pending_songs(connection, after="", limit=9)
    _merge(database, Song(song_id="s-0000", title="Changed again"))
    with database.transaction() as connection:
        built.quarantine(connection, pending, "too odd")
        assert _rows(connection, "song_vectors_8") == {"v1": 1}
    assert _coverage(database, built).stale == 1


def test_a_playlist_that_changed_after_it_was_read_stays_pending(database: Database, add_version: AddVersion) -> None:
    _merge(database, Playlist(playlist_id="p-1", name="One"))
    made = _create(database, add_version())
    with database.transaction() as connection:
        (read,) = made.pending_playlists(connection, after="", limit=9)
    _merge(database, Playlist(playlist_id="p-1", name="Two"))
    with database.transaction() as connection:
        made.write_profiles(connection, [FreshProfile("p-1", read.revision, b"\0" * 32, _unit(1, 8)[0])])
    assert _coverage(database, made).playlists == 1


def test_the_profile_of_a_playlist_deleted_meanwhile_is_not_written(
    database: Database, add_version: AddVersion
) -> None:
    made = _create(database, add_version())
    with database.transaction() as connection:
        made.write_profiles(connection, [FreshProfile("gone", 1, b"\0" * 32, _unit(1, 8)[0])])
    assert _coverage(database, made) == COMPLETE


def test_servers_can_tell_when_profiles_have_changed(database: Database, add_version: AddVersion) -> None:
    _merge(database, Playlist(playlist_id="p-1", name="One"), Playlist(playlist_id="p-2", name="Two"))
    built = _build(database, add_version(), attach=True)
    seen = _profiles_revision(database, built)
    _write_songs(database, built)
    assert _profiles_revision(database, built) == seen
    _merge(database, Playlist(playlist_id="p-1", name="Uno"))
    _write_profiles(database, built)
    written = _profiles_revision(database, built)
    assert written > seen
    _merge(database, Removal(playlist_id="p-2"))
    with database.transaction() as connection:
        assert built.delete_orphans(connection) == 1
        assert built.delete_orphans(connection) == 0
    assert _profiles_revision(database, built) == written + 1


# Quarantine and orphans ---------------------------------------------------------------------------------------------


def test_a_quarantined_song_is_tried_again_when_it_has_changed_and_not_before(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 3)
    made = _create(database, add_version())
    with database.transaction() as connection:
        pending = made.pending_songs(connection, after="", limit=9)
        for each in pending[:2]:
            made.quarantine(connection, each, "too odd")
        made.release_changed(connection)
        assert [each.song.song_id for each in made.pending_songs(connection, after="", limit=9)] == ["s-0002"]
    _merge(database, Song(song_id="s-0000", title="Changed"))
    with database.transaction() as connection:
        made.release_changed(connection)
        assert [row["song_id"] for row in vectors.list_quarantine(connection)] == ["s-0001"]
        pending = made.pending_songs(connection, after="", limit=9)
    assert [each.song.song_id for each in pending] == ["s-0000", "s-0002"]


def test_quarantine_is_kept_by_version_with_its_reason(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 3)
    first, second = _create(database, add_version()), _create(database, add_version())
    with database.transaction() as connection:
        pending = first.pending_songs(connection, after="", limit=1)[0]
        first.quarantine(connection, pending, "too odd")
        first.quarantine(connection, pending, "too long")
        (row,) = vectors.list_quarantine(connection)
    assert (row["version"], row["song_id"], row["reason"]) == ("v1", "s-0000", "too long")
    assert (_coverage(database, first).quarantined, _coverage(database, second).quarantined) == (1, 0)
    assert _coverage(database, second).missing == 3


def test_a_song_deleted_meanwhile_is_not_quarantined(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 1)
    made = _create(database, add_version())
    with database.transaction() as connection:
        (pending,) = made.pending_songs(connection, after="", limit=9)
    _merge(database, Removal(song_id="s-0000"))
    with database.transaction() as connection:
        made.quarantine(connection, pending, "too odd")
        assert vectors.list_quarantine(connection) == []


def test_vectors_of_songs_that_are_gone_are_deleted_and_no_others(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 10)
    built = _build(database, add_version(), attach=True)
    _merge(database, Removal(song_id="s-0003"), Removal(song_id="s-0007"))
    with database.transaction() as connection:
        assert built.delete_orphans(connection) == 2
        assert _rows(connection, "song_vectors_8") == {"v1": 8}
    assert _coverage(database, built) == COMPLETE


def test_a_vector_whose_song_was_deleted_meanwhile_counts_as_an_orphan(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 2)
    made = _create(database, add_version())
    with database.transaction() as connection:
        pending = made.pending_songs(connection, after="", limit=9)
    _merge(database, Removal(song_id="s-0001"))
    with database.transaction() as connection:
        made.write_songs(connection, pending, _unit(2, 8))
    assert _coverage(database, made) == Coverage(missing=0, stale=0, quarantined=0, orphaned=1, playlists=0)


# Freeing a version --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attach", [True, False])
def test_dropping_frees_a_versions_tables_and_books_and_can_be_repeated(
    database: Database, add_version: AddVersion, *, attach: bool
) -> None:
    _add_songs(database, 30)
    kept, dropped = (_build(database, add_version(), attach=each) for each in (True, attach))
    with database.transaction() as connection:
        dropped.quarantine(connection, PendingSong(Song(song_id="s-0001", title="T"), b"\0" * 32), "too odd")
        kept.quarantine(connection, PendingSong(Song(song_id="s-0001", title="T"), b"\0" * 32), "too odd")
    for _ in range(2):
        dropped.drop(database)
    with database.transaction() as connection:
        assert dropped.state(connection) is None
        assert not [name for name in _tables(connection) if "_v2" in name]
        assert [row["version"] for row in vectors.list_quarantine(connection)] == ["v1"]
        assert _rows(connection, "song_vectors_8") == {"v1": 30}
        assert len(kept.nearest_songs(connection, _unit(1, 8)[0], k=5)) == 5


def test_dropping_a_version_that_never_had_tables_does_nothing(database: Database, add_version: AddVersion) -> None:
    VectorSet(add_version()).drop(database)
    with database.transaction() as connection:
        assert not [name for name in _tables(connection) if name.startswith("song_vectors")]


def test_a_dropped_version_can_be_built_again(database: Database, add_version: AddVersion) -> None:
    _add_songs(database, 10)
    version = add_version()
    _build(database, version, attach=True).drop(database)
    assert _coverage(database, _build(database, version, attach=True)) == COMPLETE


def test_dropping_goes_on_after_a_detachment_that_was_interrupted(
    database: Database, add_version: AddVersion, settings: RegistrySettings
) -> None:
    _add_songs(database, 30)
    kept, dropped = (_build(database, add_version(), attach=True) for _ in range(2))
    _interrupt_detachment(database, settings, "song_vectors_8", "song_vectors_8_v2")
    dropped.drop(database)
    with database.transaction() as connection:
        assert not [name for name in _tables(connection) if "_v2" in name]
        assert dropped.state(connection) is None
        assert len(kept.nearest_songs(connection, _unit(1, 8)[0], k=5)) == 5


def test_an_interrupted_detachment_of_one_version_does_not_keep_another_from_being_dropped(
    database: Database, add_version: AddVersion, settings: RegistrySettings
) -> None:
    _add_songs(database, 30)
    _build(database, add_version(), attach=True)
    other = _build(database, add_version(), attach=True)
    _interrupt_detachment(database, settings, "song_vectors_8", "song_vectors_8_v1")
    other.drop(database)
    with database.transaction() as connection:
        assert not [name for name in _tables(connection) if "_v2" in name]
    VectorSet(_version(database, "v1")).drop(database)
    with database.transaction() as connection:
        assert not [name for name in _tables(connection) if "_v1" in name]


def test_dropping_waits_for_no_reader_that_has_come_and_gone_and_leaves_the_connection_as_it_was(
    database: Database, add_version: AddVersion
) -> None:
    _add_songs(database, 30)
    _build(database, add_version(), attach=True).drop(database)
    with database.transaction() as connection:
        assert connection.execute("SHOW lock_timeout").fetchone() == {"lock_timeout": "0"}


class Explaining:
    """A connection that keeps the plan of every query it passes on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[dict[str, Any]] = []

    def execute(self, query: LiteralString | sql.Composed, parameters: Mapping[str, Any] | None = None) -> Any:
        if isinstance(query, sql.Composed):
            row = self._connection.execute(sql.SQL("EXPLAIN (FORMAT JSON) ") + query, parameters).fetchone()
            assert row is not None
            self.plans.append(row["QUERY PLAN"][0]["Plan"])
        return self._connection.execute(query, parameters)


def _mentioned(plan: dict[str, Any], key: str) -> set[str]:
    found = {plan[key]} if key in plan else set()
    return found.union(*(_mentioned(child, key) for child in plan.get("Plans", [])))


def _unit(rows: int, dimensions: int, *, seed: int = 0) -> Matrix:
    matrix = np.random.default_rng(seed).normal(size=(rows, dimensions))
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), dtype=np.float32)


def _ids(count: int) -> list[str]:
    return [f"s-{number:04}" for number in range(count)]


def _text_vector(playlist_id: str, dimensions: int) -> Vector:
    """A made-up text vector of a playlist: always the same for one id."""
    return np.asarray(_unit(1, dimensions, seed=sum(playlist_id.encode()))[0])


def _add_songs(database: Database, count: int) -> None:
    _merge(database, *(Song(song_id=name, title=f"Song {number}") for number, name in enumerate(_ids(count))))


def _merge(database: Database, *records: CatalogueRecord) -> None:
    with database.transaction() as connection:
        catalogue.merge(connection, enumerate(records, start=1))


def _create(database: Database, version: ModelVersion) -> VectorSet:
    made = VectorSet(version)
    with database.transaction() as connection:
        made.create(connection)
    return made


def _build(database: Database, version: ModelVersion, *, attach: bool = False, seed: int = 0) -> VectorSet:
    """The vectors of a version, one for every song and playlist: row n of `_unit(…, seed)` for the n-th song."""
    made = _create(database, version)
    _write_songs(database, made, seed=seed)
    _write_profiles(database, made)
    if attach:
        _attach(database, made)
    return made


def _write_songs(database: Database, made: VectorSet, *, seed: int = 0) -> None:
    with database.transaction() as connection:
        pending = made.pending_songs(connection, after="", limit=10_000)
        made.write_songs(connection, pending, _unit(len(pending), made.dimensions, seed=seed))


def _write_profiles(database: Database, made: VectorSet) -> None:
    with database.transaction() as connection:
        pending = made.pending_playlists(connection, after="", limit=100)
        made.write_profiles(connection, [_fresh(each, made.dimensions) for each in pending])


def _fresh(pending: vectors.PendingPlaylist, dimensions: int) -> FreshProfile:
    playlist = pending.playlist
    text_hash = content_hash(render_playlist(playlist))
    return FreshProfile(
        playlist.playlist_id, pending.revision, text_hash, _text_vector(playlist.playlist_id, dimensions)
    )


def _attach(database: Database, made: VectorSet) -> None:
    with database.transaction() as connection:
        made.attach(connection)


def _coverage(database: Database, made: VectorSet) -> Coverage:
    with database.transaction() as connection:
        return made.coverage(connection)


def _profiles(database: Database, made: VectorSet) -> list[StoredProfile]:
    with database.transaction() as connection:
        return made.profiles(connection)


def _profiles_revision(database: Database, made: VectorSet) -> int:
    with database.transaction() as connection:
        state = made.state(connection)
    assert state is not None
    return state.profiles_revision


def _version(database: Database, name: str) -> ModelVersion:
    with database.transaction() as connection:
        row = connection.execute("SELECT * FROM model_versions WHERE version = %s", [name]).fetchone()
    assert row is not None
    return ModelVersion.from_row(row)


def _rows(connection: Connection, table: str) -> dict[str, int]:
    query = sql.SQL("SELECT model_version, count(*) AS rows FROM {} GROUP BY model_version")
    rows: Iterable[dict[str, Any]] = connection.execute(query.format(sql.Identifier(table)))
    return {row["model_version"]: row["rows"] for row in rows}


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'i') AND relname ~ '_vectors_'")
    return [row["relname"] for row in rows]


def _layout(connection: Connection) -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """All tables and indexes of vectors, which is part of which, and the books and stages of versions."""
    parts = connection.execute("SELECT inhrelid::regclass::text AS part FROM pg_inherits ORDER BY 1").fetchall()
    books = connection.execute("SELECT vector_sets.*, stage FROM vector_sets JOIN model_versions USING (version)")
    return sorted(_tables(connection)), parts, books.fetchall()


def _interrupt_detachment(database: Database, settings: RegistrySettings, parent: str, child: str) -> None:
    """Detach a version's table concurrently, and break off while that waits for a reader of all versions."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    with database.transaction() as reader, psycopg.connect(url, autocommit=True) as connection:
        _rows(reader, parent)
        connection.execute("SET statement_timeout = '500ms'")
        query = sql.SQL("ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(query.format(sql.Identifier(parent), sql.Identifier(child)))
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS pending FROM pg_inherits WHERE inhdetachpending").fetchone()
    assert row is not None
    assert row["pending"], "the detachment was not interrupted"
