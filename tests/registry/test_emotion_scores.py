"""What an emotion model says of songs: kept by model, current as long as the songs are as they were."""

from collections.abc import Callable

import numpy as np
import pytest

from registry import catalogue, versions
from registry.database import Database
from registry.emotion_scores import EmotionScores
from registry.records import CatalogueRecord, Membership, Playlist, Removal, Song
from registry.vectors.records import Matrix
from registry.versions import EmotionsSpec, ModelSpec, ModelVersion, Scale
from tests.registry.vectors.helpers import build, profiles, write_profiles

LABELS = ("joy", "grief", "love")
MODEL = EmotionsSpec(
    artifact="e" * 64, base_model="m", base_revision="1", max_length=64, labels=LABELS, thresholds=(0.5,) * 3
)
SCORES = EmotionScores(MODEL)
SONGS = [f"s{number}" for number in range(4)]


def merge(database: Database, *records: CatalogueRecord) -> None:
    with database.transaction() as connection:
        catalogue.merge(connection, enumerate(records, start=1))


@pytest.fixture
def library(database: Database) -> Database:
    merge(database, *(Song(song_id=each, title=f"Song {each}") for each in SONGS))
    return database


def pending(database: Database, scores: EmotionScores = SCORES) -> list[str]:
    with database.transaction() as connection:
        found = scores.pending(connection)
        assert scores.count_pending(connection) == len(found)
    return [each.song.song_id for each in found]


def score(database: Database, scores: EmotionScores = SCORES, *, seed: int = 0) -> dict[str, Matrix]:
    """Score all that is pending, with made-up scores."""
    with database.transaction() as connection:
        waiting = scores.pending(connection)
        made = np.random.default_rng(seed).uniform(size=(len(waiting), len(LABELS))).astype(np.float32)
        scores.write(connection, waiting, made)
    return {each.song.song_id: row for each, row in zip(waiting, made, strict=True)}


def read(database: Database, *song_ids: str, scores: EmotionScores = SCORES) -> dict[str, Matrix]:
    with database.transaction() as connection:
        return scores.read(connection, song_ids)


def test_what_is_written_is_read_to_the_last_digit(library: Database) -> None:
    made = score(library)
    found = read(library, *SONGS, "nobody's")
    assert found.keys() == set(SONGS)
    for song_id, row in found.items():
        assert row.dtype == np.float32
        np.testing.assert_array_equal(row, made[song_id])
    assert pending(library) == []


def test_pages_are_by_id(library: Database) -> None:
    with library.transaction() as connection:
        first = SCORES.pending(connection, limit=2)
        rest = SCORES.pending(connection, after="s1")
        between = SCORES.pending(connection, after="s0", until="s2")
    assert [[each.song.song_id for each in page] for page in (first, rest, between)] == [
        ["s0", "s1"],
        ["s2", "s3"],
        ["s1", "s2"],
    ]


def test_a_changed_song_has_none_until_it_is_scored_again(library: Database) -> None:
    before = score(library)
    merge(library, Song(song_id="s1", title="Song s1", description="It has words now."))
    assert read(library, *SONGS).keys() == {"s0", "s2", "s3"}
    assert pending(library) == ["s1"]
    again = score(library, seed=1)
    np.testing.assert_array_equal(read(library, "s1")["s1"], again["s1"])
    np.testing.assert_array_equal(read(library, "s2")["s2"], before["s2"])


def test_a_deleted_song_takes_its_scores_along(library: Database) -> None:
    score(library)
    merge(library, Removal(song_id="s1"))
    with library.transaction() as connection:
        rows = connection.execute("SELECT song_id FROM emotion_scores ORDER BY song_id").fetchall()
    assert [row["song_id"] for row in rows] == ["s0", "s2", "s3"]


def test_of_a_song_that_was_deleted_meanwhile_nothing_is_written(library: Database) -> None:
    with library.transaction() as connection:
        waiting = SCORES.pending(connection)
    merge(library, Removal(song_id="s1"))
    with library.transaction() as connection:
        SCORES.write(connection, waiting, np.full((4, 3), 0.5, np.float32))
    assert read(library, *SONGS).keys() == {"s0", "s2", "s3"}


def test_a_song_that_the_model_cannot_read_is_not_asked_for_again_until_it_changes(library: Database) -> None:
    with library.transaction() as connection:
        waiting = SCORES.pending(connection)
        made = np.full((4, 3), 0.5, np.float32)
        made[2] = np.nan
        SCORES.write(connection, waiting, made)
    assert np.isnan(read(library, "s2")["s2"]).all()
    assert pending(library) == []
    merge(library, Song(song_id="s2", title="Legible"))
    assert pending(library) == ["s2"]


def test_models_and_their_templates_keep_scores_of_their_own(library: Database) -> None:
    other = EmotionScores(MODEL.model_copy(update={"artifact": "f" * 64}))
    changed = EmotionScores(MODEL.model_copy(update={"text_template": 2}))
    made = score(library)
    for each in (other, changed):
        assert read(library, *SONGS, scores=each) == {}
        assert pending(library, each) == SONGS
        score(library, each, seed=1)
    with library.transaction() as connection:
        other.delete_all(connection)
    assert read(library, *SONGS, scores=other) == {}
    assert read(library, *SONGS, scores=changed).keys() == set(SONGS)
    np.testing.assert_array_equal(read(library, "s0")["s0"], made["s0"])


# Of versions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def register(database: Database, make_spec: Callable[[int], ModelSpec]) -> Callable[..., ModelVersion]:
    """Register a version with the emotion model, that matches by these signals."""

    def registered(*signals: str) -> ModelVersion:
        plain = make_spec(8)
        matching = plain.matching.model_copy(update={"signals": dict.fromkeys(signals, Scale(mean=0, spread=1))})
        spec = plain.model_copy(update={"matching": matching, "emotions": MODEL})
        with database.transaction() as connection:
            return versions.register(connection, spec, recipe=",".join(signals), actor="tester")

    return registered


def test_only_versions_that_match_by_emotions_have_any(register: Callable[..., ModelVersion]) -> None:
    assert EmotionScores.of(register("text").spec) is None
    found = EmotionScores.of(register("text", "emotion").spec)
    assert found is not None
    assert found.model == MODEL


def test_members_carry_theirs_where_the_version_matches_by_them(
    library: Database, register: Callable[..., ModelVersion]
) -> None:
    merge(library, Playlist(playlist_id="p", name="P"), *(Membership(playlist_id="p", song_id=each) for each in SONGS))
    made = score(library)
    merge(library, Song(song_id="s1", title="Changed"))
    feeling, plain = (build(library, register(*names), attached=True) for names in (("text", "emotion"), ("text",)))
    (known,), (other,) = profiles(library, feeling), profiles(library, plain)
    assert [each.emotions is None for each in known.members] == [False, True, False, False]
    np.testing.assert_array_equal(known.members[0].emotions, made["s0"])
    assert [each.emotions for each in other.members] == [None] * 4
    assert known.members[1].vector is not None


def test_profiles_that_have_changed_are_read_with_the_scores_of_then(
    library: Database, register: Callable[..., ModelVersion]
) -> None:
    merge(library, Playlist(playlist_id="p", name="P"), Membership(playlist_id="p", song_id="s0"))
    built = build(library, register("text", "emotion"), attached=True)
    before = profiles(library, built)
    score(library)
    merge(library, Membership(playlist_id="p", song_id="s1"))
    write_profiles(library, built)
    with library.transaction() as connection:
        (after,) = built.profiles(connection, before)
    assert [each.emotions for each in before[0].members] == [None]
    assert all(each.emotions is not None for each in after.members)
