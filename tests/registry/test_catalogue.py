"""Merging records into the catalogue, and what every other part of the toolkit notices of it."""

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString

import pytest
from psycopg import sql

from registry import catalogue, versions
from registry.catalogue import Dangling, MergeCounts
from registry.database import Database
from registry.records import (
    AudioFeatures,
    CatalogueRecord,
    Feedback,
    Membership,
    MembershipSource,
    Playlist,
    Removal,
    Song,
    Verdict,
)
from registry.stages import Stage
from registry.texts import CURRENT_TEMPLATE, content_hash, render_song
from registry.versions import ModelSpec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL_SONG = Song(
    song_id="s-1",
    title="Paper Lanterns",
    artist="Mira Vale",
    album="Harbour Lights",
    isrc="DEAB12300001",
    genre="folk",
    language="de",
    description="A slow waltz",
    release_date="2019-04",
    duration_ms=201_000,
    popularity=40,
    audio_features=AudioFeatures(
        danceability=0.1,
        energy=0.2,
        key=3,
        loudness=-7.25,
        mode=1,
        speechiness=0.3,
        acousticness=0.4,
        instrumentalness=0.5,
        liveness=0.6,
        valence=0.7,
        tempo=120.1,
        time_signature=4,
    ),
)
FULL_PLAYLIST = Playlist(
    playlist_id="p-1", name="Night Bus", description="Home", genre="rock", subgenre="slowcore", owner="ada"
)
LIBRARY: list[CatalogueRecord] = [
    FULL_SONG,
    Song(song_id="s-2", title="Glass River"),
    Song(song_id="s-3", title="Salt"),
    FULL_PLAYLIST,
    Playlist(playlist_id="p-2", name="Morning"),
    Membership(playlist_id="p-1", song_id="s-1", added_at=NOON),
    Membership(playlist_id="p-1", song_id="s-2", source=MembershipSource.MANUAL),
    Membership(playlist_id="p-2", song_id="s-3", source=MembershipSource.PUBLIC),
    Feedback(user="ada", song_id="s-1", playlist_id="p-1", verdict=Verdict.ACCEPT, at=NOON),
    Feedback(user="ada", song_id="s-2", playlist_id="p-2", verdict=Verdict.MOVE, from_playlist_id="p-1", at=NOON),
]


def test_a_first_merge_counts_everything_as_added(database: Database) -> None:
    counts = _merge(database, LIBRARY)
    assert counts.added == {"songs": 3, "playlists": 2, "memberships": 3, "feedback": 2}
    assert counts.changed == {"songs": 0, "playlists": 0, "memberships": 0, "feedback": 0}
    assert (counts.removed, counts.dangling) == (0, [])
    with database.transaction() as connection:
        assert catalogue.counts(connection) == {"songs": 3, "playlists": 2, "memberships": 3, "feedback": 2}


def test_what_went_in_comes_out_field_by_field(database: Database) -> None:
    _merge(database, LIBRARY)
    with database.transaction() as connection:
        found = catalogue.snapshot(connection)
    assert found.songs == tuple(record for record in LIBRARY if isinstance(record, Song))
    assert found.playlists == tuple(record for record in LIBRARY if isinstance(record, Playlist))
    assert found.memberships == tuple(record for record in LIBRARY if isinstance(record, Membership))
    assert found.feedback == tuple(record for record in LIBRARY if isinstance(record, Feedback))


def test_a_snapshot_depends_on_nothing_but_the_records(database: Database) -> None:
    songs: list[CatalogueRecord] = [Song(song_id=name, title="T") for name in ("B", "a", "ä", "Z", "_", "1", "10", "2")]
    playlists: list[CatalogueRecord] = [Playlist(playlist_id=name, name="N") for name in ("b", "A")]
    members: list[CatalogueRecord] = [Membership(playlist_id="A", song_id=name) for name in ("a", "B", "_")]
    records = songs + playlists + members
    random.Random(7).shuffle(records)
    _merge(database, records)
    with database.transaction() as connection:
        found = catalogue.snapshot(connection)
    assert [song.song_id for song in found.songs] == ["1", "10", "2", "B", "Z", "_", "a", "ä"]
    assert [playlist.playlist_id for playlist in found.playlists] == ["A", "b"]
    assert [member.song_id for member in found.memberships] == ["B", "_", "a"]


def test_merging_the_same_again_changes_nothing_at_all(database: Database) -> None:
    _merge(database, LIBRARY)
    before = _everything(database)
    counts = _merge(database, LIBRARY)
    assert counts.added == counts.changed == {"songs": 0, "playlists": 0, "memberships": 0, "feedback": 0}
    assert _everything(database) == before


def test_changes_are_counted_by_kind(database: Database) -> None:
    _merge(database, LIBRARY)
    counts = _merge(
        database,
        [
            Song(song_id="s-1", title="Paper Lanterns", popularity=41),
            Song(song_id="s-2", title="Glass River"),
            Song(song_id="s-4", title="New"),
            Playlist(playlist_id="p-2", name="Morning", owner="bob"),
            Membership(playlist_id="p-1", song_id="s-1", source=MembershipSource.MANUAL),
            Membership(playlist_id="p-2", song_id="s-4"),
        ],
    )
    assert counts.added == {"songs": 1, "playlists": 0, "memberships": 1, "feedback": 0}
    assert counts.changed == {"songs": 1, "playlists": 1, "memberships": 1, "feedback": 0}


def test_of_two_records_of_one_thing_the_later_wins_whatever_their_lines(database: Database) -> None:
    records: list[tuple[int, CatalogueRecord]] = [
        (9, Song(song_id="s-1", title="First", album="Early")),
        (2, Song(song_id="s-1", title="Last", genre="folk")),
        (10, Song(song_id="s-2", title="Other")),
        (4, Playlist(playlist_id="p-1", name="First")),
        (4, Playlist(playlist_id="p-1", name="Last")),
        (7, Membership(playlist_id="p-1", song_id="s-1", source=MembershipSource.MANUAL)),
        (6, Membership(playlist_id="p-1", song_id="s-1", source=MembershipSource.PUBLIC)),
    ]
    with database.transaction() as connection:
        counts = catalogue.merge(connection, records)
        found = catalogue.snapshot(connection)
    assert (found.songs[0].title, found.playlists[0].name) == ("Last", "Last")
    assert found.memberships[0].source is MembershipSource.PUBLIC
    assert counts.added == {"songs": 2, "playlists": 1, "memberships": 1, "feedback": 0}


def test_what_a_record_does_not_tell_is_left_as_it_is_known(database: Database) -> None:
    _merge(database, LIBRARY)
    _merge(
        database,
        [
            Song(song_id="s-1", title="Paper Lanterns"),
            Playlist(playlist_id="p-1", name="Night Bus"),
            Membership(playlist_id="p-1", song_id="s-1"),
        ],
    )
    with database.transaction() as connection:
        found = catalogue.snapshot(connection)
    assert (found.songs[0], found.playlists[0]) == (FULL_SONG, FULL_PLAYLIST)
    assert found.memberships[0].added_at == NOON


@pytest.mark.parametrize("field", [*Song.model_fields, *AudioFeatures.model_fields])
def test_any_field_of_a_song_can_be_changed_and_leaves_the_others(database: Database, field: str) -> None:
    if field in {"song_id", "audio_features"}:
        return
    _merge(database, [FULL_SONG])
    numbers: dict[str, object] = {"duration_ms": 1, "popularity": 1, "release_date": "2001"}
    if field in AudioFeatures.model_fields:
        told: dict[str, object] = {"audio_features": {field: 1.0 if field != "mode" else 0.0}}
        expected = FULL_SONG.model_copy(
            update={"audio_features": FULL_SONG.audio_features.model_copy(update=_only(told["audio_features"]))}
        )
    else:
        told = {field: numbers.get(field, "changed")}
        expected = FULL_SONG.model_copy(update=told)
    counts = _merge(database, [Song.model_validate({"song_id": "s-1", "title": FULL_SONG.title} | told)])
    assert counts.changed["songs"] == 1
    with database.transaction() as connection:
        assert catalogue.songs_by_id(connection, ["s-1"]) == {"s-1": expected}


def test_dangling_lines_are_listed_with_field_and_value_and_nothing_else_is_lost(database: Database) -> None:
    counts = _merge(
        database,
        [
            *LIBRARY,
            Membership(playlist_id="p-1", song_id="nobody"),
            Membership(playlist_id="nowhere", song_id="s-3"),
            Membership(playlist_id="nowhere", song_id="nobody"),
            Feedback(user="ada", song_id="nobody", playlist_id="p-1", verdict=Verdict.REJECT, at=NOON),
            Feedback(
                user="ada", song_id="s-3", playlist_id="p-1", verdict=Verdict.MOVE, from_playlist_id="nowhere", at=NOON
            ),
            Membership(playlist_id="p-2", song_id="s-1"),
        ],
    )
    assert counts.dangling == [
        Dangling(11, "song_id", "nobody"),
        Dangling(12, "playlist_id", "nowhere"),
        Dangling(13, "playlist_id", "nowhere"),
        Dangling(13, "song_id", "nobody"),
        Dangling(14, "song_id", "nobody"),
        Dangling(15, "from_playlist_id", "nowhere"),
    ]
    assert counts.added == {"songs": 3, "playlists": 2, "memberships": 4, "feedback": 2}


def test_a_membership_may_come_before_its_song_or_name_one_from_an_earlier_merge(database: Database) -> None:
    _merge(database, [FULL_SONG])
    counts = _merge(
        database,
        [
            Membership(playlist_id="p-1", song_id="s-2"),
            Membership(playlist_id="p-1", song_id="s-1"),
            Song(song_id="s-2", title="Glass River"),
            FULL_PLAYLIST,
        ],
    )
    assert (counts.dangling, counts.added["memberships"]) == ([], 2)


def test_a_dangling_record_takes_no_other_of_its_line_with_it(database: Database) -> None:
    _merge(database, LIBRARY)
    with database.transaction() as connection:
        counts = catalogue.merge(
            connection,
            [
                (1, Membership(playlist_id="p-2", song_id="s-1")),
                (1, Membership(playlist_id="nowhere", song_id="s-1")),
            ],
        )
    assert counts.dangling == [Dangling(1, "playlist_id", "nowhere")]
    assert counts.added["memberships"] == 1


def test_a_removed_song_is_gone_from_everywhere(database: Database) -> None:
    _merge(database, LIBRARY)
    assert _merge(database, [Removal(song_id="s-1")]).removed == 1
    with database.transaction() as connection:
        found = catalogue.snapshot(connection)
        texts = connection.execute("SELECT count(*) AS texts FROM song_texts").fetchone()
    assert [song.song_id for song in found.songs] == ["s-2", "s-3"]
    assert [member.song_id for member in found.memberships] == ["s-2", "s-3"]
    assert [entry.song_id for entry in found.feedback] == ["s-2"]
    assert texts == {"texts": 2}


def test_a_removed_playlist_takes_its_members_places_and_no_song(database: Database) -> None:
    _merge(database, LIBRARY)
    assert _merge(database, [Removal(playlist_id="p-1")]).removed == 1
    with database.transaction() as connection:
        assert catalogue.counts(connection) == {"songs": 3, "playlists": 1, "memberships": 1, "feedback": 0}


def test_a_removal_with_both_ids_takes_only_that_place(database: Database) -> None:
    _merge(database, LIBRARY)
    assert _merge(database, [Removal(song_id="s-1", playlist_id="p-1")]).removed == 1
    with database.transaction() as connection:
        assert catalogue.counts(connection) == {"songs": 3, "playlists": 2, "memberships": 2, "feedback": 2}


def test_removals_come_last_and_those_of_nothing_count_nothing(database: Database) -> None:
    counts = _merge(
        database,
        [
            Removal(song_id="s-1"),
            Removal(song_id="s-1"),
            Removal(song_id="nobody"),
            Removal(playlist_id="nowhere"),
            Removal(song_id="s-2", playlist_id="p-2"),
            *LIBRARY,
        ],
    )
    assert counts.removed == 1
    with database.transaction() as connection:
        assert sorted(catalogue.songs_by_id(connection, ["s-1", "s-2", "s-3"])) == ["s-2", "s-3"]


def test_every_song_gets_the_hash_of_its_text(database: Database) -> None:
    _merge(database, LIBRARY)
    assert _hashes(database) == {
        song.song_id: content_hash(render_song(song)) for song in LIBRARY if isinstance(song, Song)
    }


def test_a_song_whose_text_changes_gets_a_new_hash_and_no_other_does(database: Database) -> None:
    _merge(database, LIBRARY)
    before = _hashes(database)
    _merge(database, [Song(song_id="s-2", title="Glass River", genre="folk")])
    after = _hashes(database)
    changed = {name for name in before if before[name] != after[name]}
    assert (set(after), changed) == (set(before), {"s-2"})
    assert after["s-2"] == content_hash("Glass River. Genre: folk.")


def test_a_song_whose_popularity_changes_keeps_its_hash(database: Database) -> None:
    _merge(database, LIBRARY)
    before = _hashes(database)
    assert _merge(database, [Song(song_id="s-1", title="Paper Lanterns", popularity=99)]).changed["songs"] == 1
    assert _hashes(database) == before


def test_a_song_changed_by_another_program_is_rendered_again(database: Database) -> None:
    _merge(database, LIBRARY)
    with database.transaction() as connection:
        connection.execute("UPDATE songs SET title = 'Paper Boats' WHERE song_id = 's-2'")
    assert set(_hashes(database)) == {"s-1", "s-3"}
    with database.transaction() as connection:
        assert catalogue.refresh_texts(connection) == 1
        assert catalogue.refresh_texts(connection) == 0
    assert _hashes(database)["s-2"] == content_hash("Paper Boats.")


def test_a_song_added_by_another_program_is_rendered(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-9', 'Salt')")
        assert catalogue.refresh_texts(connection) == 1
    assert _hashes(database) == {"s-9": content_hash("Salt.")}


def test_texts_are_rendered_under_the_templates_of_versions_that_could_serve_and_the_newest(
    database: Database, make_spec: Callable[[int], ModelSpec]
) -> None:
    old = make_spec(8).model_copy(update={"text_template": 1})
    _merge(database, LIBRARY)
    assert _hashes(database, 1) == {}
    with database.transaction() as connection:
        version = versions.register(connection, old, recipe="old", actor="tester").version
        catalogue.refresh_texts(connection)
    assert _hashes(database, 1).keys() == _hashes(database).keys()
    with database.transaction() as connection:
        versions.move(connection, version, Stage.REJECTED)
    _merge(database, [Song(song_id="s-9", title="Salt")])
    assert "s-9" in _hashes(database)
    assert "s-9" not in _hashes(database, 1)


@pytest.mark.parametrize(
    "record",
    [
        Song(song_id="s-1", title="Paper Lanterns", description="Changed"),
        Song(song_id="s-1", title="Paper Lanterns", audio_features=AudioFeatures(energy=0.9)),
        Membership(playlist_id="p-1", song_id="s-3"),
        Removal(song_id="s-1", playlist_id="p-1"),
        Removal(song_id="s-1"),
        Playlist(playlist_id="p-1", name="Day Bus"),
        Playlist(playlist_id="p-1", name="Night Bus", description="Away"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_playlists_revision_grows_with_its_songs_members_and_text_and_no_others_does(
    database: Database, record: CatalogueRecord
) -> None:
    _merge(database, LIBRARY)
    before = _revisions(database)
    _merge(database, [record])
    after = _revisions(database)
    assert after["p-1"] > before["p-1"]
    assert after["p-2"] == before["p-2"]


@pytest.mark.parametrize(
    "record",
    [
        Song(song_id="s-4", title="In no playlist"),
        Song(song_id="s-1", title="Paper Lanterns", popularity=40),
        Playlist(playlist_id="p-1", name="Night Bus", owner="ada"),
        Playlist(playlist_id="p-3", name="New"),
        Membership(playlist_id="p-1", song_id="s-1", source=MembershipSource.PUBLIC),
        Membership(playlist_id="p-1", song_id="s-2", added_at=NOON),
        Feedback(user="bob", song_id="s-1", playlist_id="p-1", verdict=Verdict.REJECT, at=NOON),
        Removal(song_id="s-3", playlist_id="p-1"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_nothing_else_makes_a_playlists_revision_grow(database: Database, record: CatalogueRecord) -> None:
    _merge(database, LIBRARY)
    before = _revisions(database)
    _merge(database, [record])
    after = _revisions(database)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE songs SET energy = 0.5 WHERE song_id = 's-1'",
        "UPDATE playlists SET name = 'Day Bus' WHERE playlist_id = 'p-1'",
        "INSERT INTO memberships VALUES ('p-1', 's-3', 'curated')",
        "DELETE FROM memberships WHERE song_id = 's-2'",
        "DELETE FROM songs WHERE song_id = 's-2'",
        "UPDATE memberships SET playlist_id = 'p-2' WHERE song_id = 's-2'",
        "UPDATE memberships SET song_id = 's-3' WHERE song_id = 's-2'",
    ],
)
def test_changes_by_another_program_make_a_playlists_revision_grow(
    database: Database, statement: LiteralString
) -> None:
    _merge(database, LIBRARY)
    before = _revisions(database)
    with database.transaction() as connection:
        connection.execute(statement)
    assert _revisions(database)["p-1"] > before["p-1"]


def test_a_membership_moved_to_another_playlist_makes_both_revisions_grow(database: Database) -> None:
    _merge(database, LIBRARY)
    before = _revisions(database)
    with database.transaction() as connection:
        connection.execute("UPDATE memberships SET playlist_id = 'p-2' WHERE song_id = 's-2'")
    assert _revisions(database) == {name: revision + 1 for name, revision in before.items()}


@pytest.mark.parametrize("change", ["source = 'manual'", "added_at = now()", "song_id = song_id"])
def test_a_membership_of_another_source_or_date_leaves_revisions_alone(
    database: Database, change: LiteralString
) -> None:
    _merge(database, LIBRARY)
    before = _revisions(database)
    with database.transaction() as connection:
        connection.execute(sql.SQL("UPDATE memberships SET {}").format(sql.SQL(change)))
    assert _revisions(database) == before


@pytest.mark.parametrize("query", ["", " ", "\t\n"])
def test_a_blank_query_finds_nothing(database: Database, query: str) -> None:
    _merge(database, LIBRARY)
    with database.transaction() as connection:
        assert catalogue.find_songs(connection, query) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("s-2", ["s-2"]),
        ("glass RIVER", ["s-2", "s-5"]),
        ("Mira Vale - Paper Lanterns", ["s-1"]),
        ("mira vale - paper lanterns", ["s-1"]),
        ("lanterns", ["s-1", "s-6"]),
        ("s-7", ["s-7"]),
        ("100%", ["s-8"]),
        ("_", []),
        ("Mira Vale", []),
        ("nothing like it", []),
    ],
)
def test_songs_are_found_by_id_then_title_then_part_of_one_the_best_known_first(
    database: Database, query: str, expected: list[str]
) -> None:
    _merge(
        database,
        [
            FULL_SONG,
            Song(song_id="s-2", title="Glass River", popularity=80),
            Song(song_id="s-5", title="Glass River"),
            Song(song_id="s-6", title="Lanterns at Sea"),
            Song(song_id="s-7", title="Eight"),
            Song(song_id="s-9", title="s-7"),
            Song(song_id="s-8", title="100% Salt"),
        ],
    )
    with database.transaction() as connection:
        assert [song.song_id for song in catalogue.find_songs(connection, query)] == expected


def test_a_found_song_is_whole_and_no_more_are_given_than_asked(database: Database) -> None:
    _merge(database, [FULL_SONG, *(Song(song_id=f"n-{number}", title="Same") for number in range(9))])
    with database.transaction() as connection:
        assert catalogue.find_songs(connection, "s-1") == [FULL_SONG]
        assert len(catalogue.find_songs(connection, "same")) == 5
        assert len(catalogue.find_songs(connection, "same", limit=7)) == 7


def test_playlists_of_songs_are_found(database: Database) -> None:
    _merge(database, [*LIBRARY, Membership(playlist_id="p-2", song_id="s-1")])
    with database.transaction() as connection:
        assert catalogue.memberships_of(connection, ["s-1", "s-2", "nobody"]) == {"s-1": {"p-1", "p-2"}, "s-2": {"p-1"}}
        assert catalogue.memberships_of(connection, []) == {}
        assert catalogue.songs_by_id(connection, ["nobody"]) == {}


def test_songs_of_playlists_are_found(database: Database) -> None:
    _merge(database, [*LIBRARY, Membership(playlist_id="p-2", song_id="s-1")])
    with database.transaction() as connection:
        members = catalogue.members_of(connection, ["p-1", "p-2", "nobody"])
        assert members == {"p-1": ["s-1", "s-2"], "p-2": ["s-1", "s-3"]}
        assert catalogue.members_of(connection, []) == {}


def test_playlists_are_found_by_id_alone_or_by_name(database: Database) -> None:
    names = {"a": "Été", "b": "Rain", "c": "rain", "Rain": "Named by its id", "d": "Named by its id"}
    _merge(database, [Playlist(playlist_id=playlist_id, name=name) for playlist_id, name in names.items()])
    with database.transaction() as connection:
        found = catalogue.find_playlists(connection, ["Rain", "RAIN", "Été", "named by its id", "nobody", "c"])
    assert {asked: [each.playlist_id for each in playlists] for asked, playlists in found.items()} == {
        "Rain": ["Rain"],
        "RAIN": ["b", "c"],
        "Été": ["a"],
        "named by its id": ["Rain", "d"],
        "c": ["c"],
    }
    assert found["c"] == [Playlist(playlist_id="c", name="rain")]


def test_two_merges_in_one_transaction_work(database: Database) -> None:
    with database.transaction() as connection:
        catalogue.merge(connection, enumerate(LIBRARY, start=1))
        counts = catalogue.merge(connection, [(1, Song(song_id="s-1", title="Paper Boats"))])
    assert counts.changed["songs"] == 1


def test_a_merge_that_fails_leaves_the_catalogue_as_it_was(database: Database) -> None:
    _merge(database, LIBRARY)
    before = _everything(database)

    def breaking_off() -> Iterator[tuple[int, CatalogueRecord]]:
        yield 1, Song(song_id="s-1", title="Changed")
        raise RuntimeError

    with pytest.raises(RuntimeError), database.transaction() as connection:
        catalogue.merge(connection, breaking_off())
    assert _everything(database) == before


def test_a_merge_of_nothing_does_nothing(database: Database) -> None:
    counts = _merge(database, [])
    assert (set(counts.added.values()), counts.removed, counts.dangling) == ({0}, 0, [])


def test_text_that_is_hard_on_databases_survives(database: Database) -> None:
    hard = 'tab\there "quoted" \\N back\\slash {"json": 1} %s ünïcödé 🎵 \u202e'
    _merge(database, [Song(song_id=hard, title=hard, description=f"{hard}\n{hard}")])
    with database.transaction() as connection:
        (song,) = catalogue.find_songs(connection, hard)
    assert (song.song_id, song.title, song.description) == (hard, hard, f"{hard}\n{hard}")


def test_five_thousand_songs_and_more_merge_in_one_go(database: Database) -> None:
    songs = [Song(song_id=f"s-{number:05}", title=f"Song {number}") for number in range(5_400)]
    members = [Membership(playlist_id="p-1", song_id=song.song_id) for song in songs]
    counts = _merge(database, [FULL_PLAYLIST, *songs, *members])
    assert counts.added == {"songs": 5_400, "playlists": 1, "memberships": 5_400, "feedback": 0}
    assert len(_hashes(database)) == 5_400


def _merge(database: Database, records: Iterable[CatalogueRecord]) -> MergeCounts:
    with database.transaction() as connection:
        return catalogue.merge(connection, enumerate(records, start=1))


def _only(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def _hashes(database: Database, template: int = CURRENT_TEMPLATE) -> dict[str, bytes]:
    with database.transaction() as connection:
        query = "SELECT song_id, content_hash FROM song_texts WHERE template = %s"
        rows = connection.execute(query, [template]).fetchall()
    return {row["song_id"]: bytes(row["content_hash"]) for row in rows}


def _revisions(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        rows = connection.execute("SELECT playlist_id, revision FROM playlists").fetchall()
    return {row["playlist_id"]: row["revision"] for row in rows}


def _everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows with every column, times of change and row versions included."""
    tables: tuple[LiteralString, ...] = ("songs", "playlists", "memberships", "feedback", "song_texts")
    with database.transaction() as connection:
        return {
            table: connection.execute("SELECT *, xmin::text FROM " + table + " ORDER BY 1, 2").fetchall()
            for table in tables
        }
