"""The songs of playlists' profiles, and that only profiles which have changed are read."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from registry.database import Database
from registry.records import Membership, Playlist, Removal, Song
from registry.vectors.records import MOST_MEMBERS, StoredProfile
from registry.vectors.vector_set import VectorSet
from tests.registry.vectors.helpers import (
    AddVersion,
    Explaining,
    add_songs,
    build,
    ids,
    mentioned,
    merge,
    profiles,
    write_profiles,
    write_songs,
)
from tests.support.random_vectors import unit

START = datetime(2026, 1, 1, tzinfo=UTC)


def held(playlist: str, *songs: str) -> list[Membership]:
    """Memberships, each a day older than the one before."""
    return [
        Membership(playlist_id=playlist, song_id=song, added_at=START - timedelta(days=row))
        for row, song in enumerate(songs)
    ]


@pytest.fixture
def built(database: Database, add_version: AddVersion) -> VectorSet:
    """Two playlists of two songs each, and a third that is empty."""
    add_songs(database, 5)
    merge(
        database,
        *(Playlist(playlist_id=f"p-{row}", name=f"List {row}") for row in range(3)),
        *held("p-0", "s-0001", "s-0000"),
        *held("p-1", "s-0002", "s-0003"),
    )
    return build(database, add_version(), attached=True, seed=1)


def again(database: Database, built: VectorSet, known: list[StoredProfile]) -> list[StoredProfile]:
    with database.transaction() as connection:
        return built.profiles(connection, known)


def test_members_come_by_id_with_their_vectors(database: Database, built: VectorSet) -> None:
    first, second, third = profiles(database, built)
    assert [member.song for member in first.members] == [
        Song(song_id="s-0000", title="Song 0"),
        Song(song_id="s-0001", title="Song 1"),
    ]
    vectors = np.array([member.vector for member in (*first.members, *second.members)])
    np.testing.assert_allclose(vectors, unit(5, 8, seed=1)[:4], atol=2e-3)
    assert third.members == ()


def test_a_member_whose_vector_is_stale_or_missing_has_none(database: Database, built: VectorSet) -> None:
    merge(database, Song(song_id="s-0001", title="Changed"), Song(song_id="new", title="New"), *held("p-0", "new"))
    write_profiles(database, built)
    members = profiles(database, built)[0].members
    assert [(each.song.song_id, each.vector is None) for each in members] == [
        ("new", True),
        ("s-0000", False),
        ("s-0001", True),
    ]
    assert members[2].song.title == "Changed"


def test_of_a_long_playlist_the_newest_are_known_and_all_are_counted(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, MOST_MEMBERS + 3)
    newest_first = ids(MOST_MEMBERS + 2)[::-1]
    undated = Membership(playlist_id="p-1", song_id=ids(MOST_MEMBERS + 3)[-1])
    merge(database, Playlist(playlist_id="p-1", name="Long"), *held("p-1", *newest_first), undated)
    (profile,) = profiles(database, build(database, add_version(), attached=True))
    assert profile.song_count == MOST_MEMBERS + 3
    assert [member.song.song_id for member in profile.members] == sorted(newest_first[:MOST_MEMBERS])


def test_what_has_not_changed_is_given_back_as_it_is(database: Database, built: VectorSet) -> None:
    known = profiles(database, built)
    assert all(new is old for new, old in zip(again(database, built, known), known, strict=True))


def test_what_has_changed_is_read_anew_and_nothing_else(database: Database, built: VectorSet) -> None:
    known = profiles(database, built)
    merge(database, *held("p-0", "s-0004"), Playlist(playlist_id="p-9", name="New"))
    write_profiles(database, built)
    found = again(database, built, known)
    assert [each.playlist.playlist_id for each in found] == ["p-0", "p-1", "p-2", "p-9"]
    assert [member.song.song_id for member in found[0].members] == ["s-0000", "s-0001", "s-0004"]
    assert found[1] is known[1]
    assert found[2] is known[2]


def test_a_song_that_changes_makes_the_profiles_of_its_playlists_anew(database: Database, built: VectorSet) -> None:
    known = profiles(database, built)
    merge(database, Song(song_id="s-0002", title="Retitled"))
    write_songs(database, built)
    write_profiles(database, built)
    found = again(database, built, known)
    assert found[1].members[0].song.title == "Retitled"
    assert found[0] is known[0]


def test_a_profile_of_what_was_not_current_is_read_until_it_is(database: Database, built: VectorSet) -> None:
    merge(database, Song(song_id="s-0001", title="Changed"))
    write_profiles(database, built)
    known = profiles(database, built)
    assert known[0].revision == 0
    once = again(database, built, known)
    assert once[0] is not known[0]
    write_songs(database, built)
    write_profiles(database, built)
    found = again(database, built, once)
    assert found[0].revision > 0
    assert all(member.vector is not None for member in found[0].members)


def test_a_playlist_that_is_gone_is_given_back_no_more(database: Database, built: VectorSet) -> None:
    known = profiles(database, built)
    merge(database, Removal(playlist_id="p-0"))
    left = [each.playlist.playlist_id for each in again(database, built, known)]
    assert left == ["p-1", "p-2"]
    with database.transaction() as connection:
        built.delete_orphans(connection)
    assert [each.playlist.playlist_id for each in again(database, built, known)] == left


def test_one_changed_playlist_is_read_by_indexes(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 4_000)
    songs = ids(4_000)
    for row in range(400):
        name = f"p-{row:03}"
        merge(database, Playlist(playlist_id=name, name=name), *held(name, *songs[row * 10 : row * 10 + 10]))
    built = build(database, add_version(), attached=True)
    known = profiles(database, built)
    merge(database, Playlist(playlist_id="p-007", name="Changed"))
    write_profiles(database, built)
    with database.transaction() as connection:
        connection.execute("ANALYZE")
        passed, explaining = Explaining.around(connection)
        found = built.profiles(passed, known)
    assert [each.playlist.name for each in found if each not in known] == ["Changed"]
    (members,) = [plan for plan in explaining.plans if "memberships" in mentioned(plan, "Relation Name")]
    assert "Seq Scan" not in mentioned(members, "Node Type")
    assert "memberships_pkey" in mentioned(members, "Index Name")
