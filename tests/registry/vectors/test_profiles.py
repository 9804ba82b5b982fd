"""Playlists' profiles: text, centroid and means of sound; current as long as nothing in them has changed."""

import numpy as np
import pytest

from registry.database import Database
from registry.records import AudioFeatures, CatalogueRecord, Membership, Playlist, Removal, Song
from registry.texts import content_hash, render_playlist
from registry.vectors.records import FreshProfile
from registry.vectors.vector_set import VectorSet
from tests.registry.vectors.helpers import (
    COMPLETE,
    AddVersion,
    add_songs,
    attach,
    build,
    coverage,
    create,
    ids,
    merge,
    profiles,
    text_vector,
    write_profiles,
    write_songs,
)
from tests.support.random_vectors import unit


def test_a_profile_holds_text_centroid_and_means_of_what_is_known(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 4)
    merge(
        database,
        Song(song_id="s-0000", title="Song 0", audio_features=AudioFeatures(energy=0.2, tempo=100, key=4)),
        Song(song_id="s-0001", title="Song 1", audio_features=AudioFeatures(energy=0.6)),
        Song(song_id="s-0002", title="Song 2", audio_features=AudioFeatures(loudness=-6)),
        Playlist(playlist_id="p-1", name="Night Bus", description="Home", genre="rock", subgenre="slow", owner="ada"),
        *(Membership(playlist_id="p-1", song_id=name) for name in ids(3)),
    )
    built = build(database, add_version(), attached=True, seed=1)
    (profile,) = profiles(database, built)
    centroid = unit(4, 8, seed=1)[:3].mean(axis=0)
    assert profile.centroid is not None
    np.testing.assert_allclose(profile.centroid, centroid / np.linalg.norm(centroid), atol=2e-3)
    np.testing.assert_allclose(profile.embedding, text_vector("p-1", 8), atol=1e-3)
    assert profile.playlist == Playlist(
        playlist_id="p-1", name="Night Bus", description="Home", genre="rock", subgenre="slow", owner="ada"
    )
    assert profile.song_count == 3
    assert profile.acoustic == pytest.approx({"energy": 0.4, "tempo": 100, "loudness": -6})


def test_an_empty_playlist_has_a_text_and_nothing_else(database: Database, add_version: AddVersion) -> None:
    merge(database, Playlist(playlist_id="p-1", name="Empty"))
    (profile,) = profiles(database, build(database, add_version(), attached=True))
    assert (profile.centroid, profile.song_count, profile.acoustic) == (None, 0, {})


def test_profiles_come_by_id_each_with_its_own_songs(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 6)
    for number, name in enumerate(("b", "a", "C")):
        merge(
            database,
            Playlist(playlist_id=name, name=name),
            *(Membership(playlist_id=name, song_id=song) for song in ids(6)[2 * number : 2 * number + 2]),
        )
    found = profiles(database, build(database, add_version(), attached=True, seed=1))
    assert [each.playlist.playlist_id for each in found] == ["C", "a", "b"]
    centroid = unit(6, 8, seed=1)[2:4].mean(axis=0)
    assert found[1].centroid is not None
    np.testing.assert_allclose(found[1].centroid, centroid / np.linalg.norm(centroid), atol=2e-3)


def test_a_playlist_that_changes_is_pending_until_its_profile_is_written(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 4)
    merge(database, Playlist(playlist_id="p-1", name="One"), Playlist(playlist_id="p-2", name="Two"))
    built = build(database, add_version(), attached=True)
    assert coverage(database, built) == COMPLETE
    merge(database, Membership(playlist_id="p-2", song_id="s-0001"))
    assert coverage(database, built).playlists == 1
    with database.transaction() as connection:
        (pending,) = built.pending_playlists(connection, after="", limit=9)
        assert built.pending_playlists(connection, after="p-2", limit=9) == []
    assert pending.playlist.playlist_id == "p-2"
    assert pending.known_hash == content_hash(render_playlist(pending.playlist))
    write_profiles(database, built)
    assert coverage(database, built) == COMPLETE
    assert profiles(database, built)[1].song_count == 1


def test_a_profile_without_a_new_text_vector_keeps_the_one_it_has(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 2)
    merge(database, Playlist(playlist_id="p-1", name="One"))
    built = build(database, add_version(), attached=True)
    merge(database, Membership(playlist_id="p-1", song_id="s-0001"))
    with database.transaction() as connection:
        (pending,) = built.pending_playlists(connection, after="", limit=9)
        assert pending.known_hash is not None
        built.write_profiles(connection, [FreshProfile("p-1", pending.revision, pending.known_hash, None)])
    (profile,) = profiles(database, built)
    np.testing.assert_allclose(profile.embedding, text_vector("p-1", 8), atol=1e-3)
    assert profile.song_count == 1


def test_a_profile_made_while_a_members_vector_is_not_current_stays_pending(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 3)
    merge(
        database,
        Playlist(playlist_id="p-1", name="One"),
        *(Membership(playlist_id="p-1", song_id=name) for name in ids(3)),
    )
    built = build(database, add_version(), attached=True)
    changes: list[tuple[CatalogueRecord, ...]] = [
        (Song(song_id="s-0001", title="Stale"),),
        (Song(song_id="new", title="Missing"), Membership(playlist_id="p-1", song_id="new")),
    ]
    for change in changes:
        merge(database, *change)
        write_profiles(database, built)
        assert coverage(database, built).playlists == 1
        with database.transaction() as connection:
            row = connection.execute("SELECT revision FROM playlist_vectors_8").fetchone()
        assert row == {"revision": 0}
        write_songs(database, built)
        write_profiles(database, built)
        assert coverage(database, built) == COMPLETE


def test_a_quarantined_member_does_not_hold_its_playlist_up(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 3)
    merge(
        database,
        Playlist(playlist_id="p-1", name="One"),
        *(Membership(playlist_id="p-1", song_id=name) for name in ids(3)),
    )
    made = create(database, add_version())
    with database.transaction() as connection:
        made.quarantine(connection, made.pending_songs(connection, after="", limit=9)[1], "too odd")
    write_songs(database, made, seed=1)
    write_profiles(database, made)
    attach(database, made)
    counts = coverage(database, made)
    assert (counts.complete, counts.quarantined) == (True, 1)
    (profile,) = profiles(database, made)
    centroid = unit(2, 8, seed=1).mean(axis=0)
    assert profile.centroid is not None
    assert profile.song_count == 3
    np.testing.assert_allclose(profile.centroid, centroid / np.linalg.norm(centroid), atol=2e-3)


def test_the_outdated_vector_of_a_quarantined_song_is_in_no_centroid(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 3)
    merge(
        database,
        Playlist(playlist_id="p-1", name="One"),
        *(Membership(playlist_id="p-1", song_id=name) for name in ids(3)),
    )
    built = build(database, add_version(), attached=True, seed=1)
    merge(database, Song(song_id="s-0001", title="Changed, and now too odd"))
    with database.transaction() as connection:
        built.quarantine(connection, built.pending_songs(connection, after="", limit=9)[0], "too odd")
    write_profiles(database, built)
    (profile,) = profiles(database, built)
    centroid = unit(3, 8, seed=1)[[0, 2]].mean(axis=0)
    assert profile.centroid is not None
    np.testing.assert_allclose(profile.centroid, centroid / np.linalg.norm(centroid), atol=2e-3)


def test_a_playlist_that_changed_after_it_was_read_stays_pending(database: Database, add_version: AddVersion) -> None:
    merge(database, Playlist(playlist_id="p-1", name="One"))
    made = create(database, add_version())
    with database.transaction() as connection:
        (read,) = made.pending_playlists(connection, after="", limit=9)
    merge(database, Playlist(playlist_id="p-1", name="Two"))
    with database.transaction() as connection:
        made.write_profiles(connection, [FreshProfile("p-1", read.revision, b"\0" * 32, unit(1, 8)[0])])
    assert coverage(database, made).playlists == 1


def test_the_profile_of_a_playlist_deleted_meanwhile_is_not_written(
    database: Database, add_version: AddVersion
) -> None:
    made = create(database, add_version())
    with database.transaction() as connection:
        made.write_profiles(connection, [FreshProfile("gone", 1, b"\0" * 32, unit(1, 8)[0])])
    assert coverage(database, made) == COMPLETE


def test_servers_can_tell_when_profiles_have_changed(database: Database, add_version: AddVersion) -> None:
    merge(database, Playlist(playlist_id="p-1", name="One"), Playlist(playlist_id="p-2", name="Two"))
    built = build(database, add_version(), attached=True)
    seen = profiles_revision(database, built)
    write_songs(database, built)
    assert profiles_revision(database, built) == seen
    merge(database, Playlist(playlist_id="p-1", name="Uno"))
    write_profiles(database, built)
    written = profiles_revision(database, built)
    assert written > seen
    merge(database, Removal(playlist_id="p-2"))
    with database.transaction() as connection:
        assert built.delete_orphans(connection) == 1
        assert built.delete_orphans(connection) == 0
    assert profiles_revision(database, built) == written + 1


def profiles_revision(database: Database, made: VectorSet) -> int:
    with database.transaction() as connection:
        state = made.state(connection)
    assert state is not None
    return state.profiles_revision
