"""Songs and playlists as they are in odd libraries: what a user would expect of each, by the bundled model."""

import math
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry.artifacts import ArtifactStore
from registry.records import AudioFeatures, Song
from registry.versions import EmbedderSpec, MatchSpec
from serving.inference.encoder import Encoder
from serving.inference.reranker import Pair, Read
from serving.matching.matcher import Answering
from serving.matching.reranking import rerank
from serving.matching.scoring import heuristic_weights
from tests.support.small_world import SmallWorld, matched, order

LOUD = {"energy": 0.93, "valence": 0.8, "danceability": 0.75, "tempo": 138.0, "acousticness": 0.02, "loudness": -4.0}
QUIET = {"energy": 0.2, "valence": 0.12, "danceability": 0.3, "tempo": 76.0, "acousticness": 0.9, "loudness": -15.0}
PIANO = {**QUIET, "valence": 0.35, "loudness": -24.0, "acousticness": 0.99, "instrumentalness": 0.94}
CLUB = {**LOUD, "danceability": 0.93, "tempo": 122.0, "energy": 0.8, "loudness": -6.0}
PLAIN = {"energy": 0.55, "valence": 0.6, "danceability": 0.55, "tempo": 108.0, "acousticness": 0.3, "loudness": -9.0}
RAP = {"energy": 0.7, "valence": 0.5, "danceability": 0.8, "tempo": 92.0, "speechiness": 0.38, "loudness": -6.0}

GYM, SAD, PIANOS, CLUBS, GERMAN, RAPS = (
    "Gym Power",
    "Sad Rainy Sundays",
    "Quiet Piano",
    "Party in the Club",
    "Deutsche Lieder",
    "Hip Hop Battles",
)


def song(title: str, description: str | None = None, sound: dict[str, float] | None = None, **fields: Any) -> Song:
    features = AudioFeatures(**(sound or {}))
    return Song(song_id=f"id {title}", title=title, description=description, audio_features=features, **fields)


LIBRARY = {
    GYM: [
        song(f"Iron Will {row}", f"Shouting about {about} and never giving up.", LOUD, artist="Steel Hearts")
        for row, about in enumerate(("lifting weights", "running faster", "pain and sweat", "winning the fight"))
    ],
    SAD: [
        song(f"Grey Window {row}", f"A slow, lonely song about {about}.", QUIET, artist="Ada Ferrow")
        for row, about in enumerate(("rain on the window", "losing a friend", "an empty house", "crying at night"))
    ],
    PIANOS: [song(f"Nocturne No. {row}", None, PIANO, artist="Emil Hart") for row in range(1, 5)],
    CLUBS: [
        song(f"Neon Floor {row}", f"A dance tune about {about}.", CLUB, artist="DJ Ondo")
        for row, about in enumerate(("dancing till dawn", "the dance floor", "friends and drinks", "summer parties"))
    ],
    GERMAN: [
        song(f"Stra\u00dfe {row}", f"Ein Lied \u00fcber {about}.", PLAIN, artist="Jana Vogt", language="de")
        for row, about in enumerate(("den Sommer in der Stadt", "die Heimat", "einen alten Freund", "den Regen"))
    ],
    RAPS: [
        song(f"Block {row}", f"A rapper boasts about {about}.", RAP, artist="MC Tarn", genre="rap")
        for row, about in enumerate(("money", "his city", "his rivals", "the fucking police"))
    ],
}


@pytest.fixture(scope="module")
def world(stored: tuple[ArtifactStore, Path, str], embedder: EmbedderSpec) -> SmallWorld:
    return SmallWorld.of(Encoder.open(stored[0].verified(stored[2]), embedder, device="cpu"))


@pytest.fixture(params=["learned", "heuristic"])
def spec(world: SmallWorld, request: pytest.FixtureRequest) -> MatchSpec:
    return world.learned if request.param == "learned" else world.spec


@pytest.fixture
def library(world: SmallWorld, spec: MatchSpec) -> Answering:
    return world.answering(LIBRARY, spec)


def assert_sound(found: dict[str, Any]) -> None:
    """Every number is one, the signals add up to the score, and the reasons are a sentence."""
    scores = [match["score"] for match in found["matches"]]
    assert scores == sorted(scores, reverse=True)
    for match in found["matches"]:
        assert math.isfinite(match["score"])
        assert sum(match["signals"].values()) == pytest.approx(match["score"], abs=1e-3)
        assert match["why"][0].isupper() or not match["why"][0].isalpha()
        assert match["why"].endswith(".")
    assert 0 <= found.get("confidence", 0) <= 1


# Songs with little to go by -------------------------------------------------------------------------------------------


def test_an_instrumental_goes_by_its_sound(library: Answering) -> None:
    found = matched(library, song("Untitled", None, PIANO))
    assert order(found)[0] == PIANOS
    assert found["matches"][0]["signals"]["acoustic"] > 0
    assert_sound(found)


def test_an_instrumental_leans_on_its_sound_more_than_a_song_does(library: Answering) -> None:
    sung, played = (song("Tide", "A song of the sea.", {**QUIET, "instrumentalness": each}) for each in (0.0, 0.9))
    weights = heuristic_weights([sung, played], library.index)["acoustic"]
    assert (weights[1] > weights[0]).all()


@pytest.mark.parametrize("title", ["...", "X", "\u2026", "\U0001f30a"])
def test_a_song_with_neither_text_nor_sound_gets_an_answer_that_knows_little(library: Answering, title: str) -> None:
    found = matched(library, song(title))
    assert len(found["matches"]) == len(LIBRARY)
    assert {match["signals"]["acoustic"] for match in found["matches"]} == {0.0}
    assert not found.get("fits")
    assert_sound(found)


def test_a_song_of_one_word_goes_where_its_sound_and_artist_are(library: Answering) -> None:
    found = matched(library, song("Go", None, LOUD, artist="Steel Hearts"))
    assert order(found)[0] == GYM
    assert found["matches"][0]["signals"]["artist"] == max(match["signals"]["artist"] for match in found["matches"]) > 0


def test_explicit_words_are_words(library: Answering) -> None:
    found = matched(library, song("Fuck the Police", "An angry rapper swears at the police.", RAP, genre="rap"))
    assert order(found)[0] == RAPS
    assert_sound(found)


@pytest.mark.parametrize(
    ("title", "description"),
    [
        ("Regen \u00fcber Berlin", "Ein Lied \u00fcber den Regen in der Stadt."),
        ("Heimweh", "Ein Lied \u00fcber die alte Heimat."),
    ],
)
def test_a_song_in_another_language_goes_to_its_own(library: Answering, title: str, description: str) -> None:
    assert order(matched(library, song(title, description, PLAIN, language="de")))[0] == GERMAN


def test_what_no_model_reads_well_still_goes_by_its_sound(library: Answering) -> None:
    found = matched(
        library, song("\u590f\u306e\u6d77", "\u6d77\u8fba\u3067\u8e0a\u308b\u590f\u306e\u6b4c", CLUB, language="ja")
    )
    assert order(found)[0] == CLUBS
    assert_sound(found)


def test_without_audio_features_the_words_decide(library: Answering) -> None:
    found = matched(library, song("Tears", "A slow, lonely song about crying at the rainy window."))
    assert order(found)[0] == SAD
    assert {match["signals"]["acoustic"] for match in found["matches"]} == {0.0}
    assert_sound(found)


def test_a_library_without_audio_features_is_matched_by_words(world: SmallWorld, spec: MatchSpec) -> None:
    silent = {
        name: [each.model_copy(update={"audio_features": AudioFeatures()}) for each in held]
        for name, held in LIBRARY.items()
    }
    found = matched(
        world.answering(silent, spec), song("Tears", "A slow, lonely song about crying at the rainy window.", QUIET)
    )
    assert order(found)[0] == SAD
    assert_sound(found)


# Conflicting emotions -------------------------------------------------------------------------------------------------


def test_where_words_and_sound_disagree_the_type_decides_which_counts(world: SmallWorld) -> None:
    twins = {GYM: LIBRARY[SAD], SAD: LIBRARY[SAD]}
    spec = world.spec.model_copy(
        update={"signals": {name: each for name, each in world.spec.signals.items() if name != "text"}}
    )
    answering = world.answering(twins, spec)
    sad_words = song("Alone", "A slow, lonely song about losing a friend and crying.", LOUD)
    sad_sound = song("Champion", "Shouting about winning the fight.", QUIET)
    assert order(matched(answering, sad_words)) == [SAD, GYM]
    assert order(matched(answering, sad_sound)) == [GYM, SAD]


def test_the_conflict_is_told(library: Answering) -> None:
    found = matched(library, song("Grey Window Remix", "A slow, lonely song about rain on the window.", LOUD))
    (sad,) = [match for match in found["matches"] if match["name"] == SAD]
    assert "though it sounds different" in sad["why"]


# Small libraries ------------------------------------------------------------------------------------------------------

LONELY = song("Empty House", "A slow, lonely song about an empty house in the rain.", QUIET, artist="Ada Ferrow")


@pytest.mark.parametrize("songs", [0, 1, 2])
def test_a_playlist_of_few_songs_is_found(world: SmallWorld, spec: MatchSpec, songs: int) -> None:
    held = {**LIBRARY, SAD: LIBRARY[SAD][:songs]}
    found = matched(world.answering(held, spec), LONELY)
    assert order(found)[0] == SAD
    assert len(found["matches"][0]["nearest_songs"]) == songs
    assert_sound(found)


@pytest.mark.parametrize("songs", [1, 2])
def test_few_songs_tell_more_than_a_name_that_says_nothing(world: SmallWorld, spec: MatchSpec, songs: int) -> None:
    rest = {name: held for name, held in LIBRARY.items() if name != SAD}
    named, alone = ({**rest, "Mix 7": LIBRARY[SAD][:count]} for count in (songs, 0))
    first, second = (order(matched(world.answering(held, spec), LONELY)).index("Mix 7") for held in (named, alone))
    assert first == 0
    assert second > 0


def test_a_library_of_empty_playlists_is_matched_by_their_names(world: SmallWorld, spec: MatchSpec) -> None:
    found = matched(world.answering(dict.fromkeys(LIBRARY, ()), spec), LONELY)
    assert order(found)[0] == SAD
    assert_sound(found)


# Near-identical playlists ---------------------------------------------------------------------------------------------


class Reader:
    """Prefers the playlists whose text holds a word."""

    def __init__(self, word: str) -> None:
        self._word = word

    def submit(self, pairs: Sequence[Pair]) -> "Future[Read]":
        done: Future[Read] = Future()
        done.set_result(Read(np.array([float(self._word in playlist) for playlist, _ in pairs], np.float32), 1))
        return done


@pytest.mark.parametrize("wanted", ["Sundays", "Mondays"])
def test_of_near_identical_playlists_the_reranker_decides(world: SmallWorld, spec: MatchSpec, wanted: str) -> None:
    twin = SAD.replace("Sundays", "Mondays")
    answering = world.answering({**LIBRARY, twin: LIBRARY[SAD]}, spec, reranker=Reader(wanted))
    before = matched(answering, LONELY)
    assert {*order(before)[:2]} == {SAD, twin}
    first, second = (match["score"] for match in before["matches"][:2])
    assert first - second < abs(second - before["matches"][2]["score"])
    (after,) = rerank(answering, [LONELY], [before])
    assert after["reranked"]
    assert wanted in order(after)[0]
    assert_sound(after)


# Nowhere, or there already --------------------------------------------------------------------------------------------


def test_a_song_that_belongs_nowhere_is_told_so(world: SmallWorld) -> None:
    library = world.answering(LIBRARY)
    lecture = song(
        "Lecture 4: Value Added Tax",
        "A professor explains how companies file tax returns.",
        {"speechiness": 0.95, "energy": 0.3, "tempo": 180.0, "danceability": 0.6, "liveness": 0.9},
        artist="Open University",
        genre="audiobook",
    )
    home = song("Grey Window 9", "A slow, lonely song about rain on the window.", QUIET, artist="Ada Ferrow")
    stray, at_home = matched(library, lecture), matched(library, home)
    assert (stray["fits"], at_home["fits"]) == (False, True)
    rule = library.version.spec.matching.belonging
    assert rule is not None
    assert stray["confidence"] < rule.threshold <= at_home["confidence"]
    assert len(stray["matches"]) == len(LIBRARY), "the nearest ones are told all the same"


@pytest.mark.parametrize("names", [(SAD,), (GYM,), (SAD, GYM)])
def test_a_small_library_too_is_told_that_none_fits(world: SmallWorld, names: tuple[str, ...]) -> None:
    library = world.answering({name: LIBRARY[name] for name in names})
    assert not matched(library, song("Ondo Night", "A dance tune about the dance floor.", CLUB, artist="DJ Ondo"))[
        "fits"
    ]
    assert not matched(library, song("Nocturne No. 9", None, PIANO, artist="Emil Hart"))["fits"]


def test_a_song_that_the_playlist_holds_comes_first_and_is_marked(library: Answering) -> None:
    there = LIBRARY[CLUBS][1]
    found = matched(library, there, [CLUBS])
    assert order(found)[0] == CLUBS
    assert [match["already_in"] for match in found["matches"]] == [True, *[False] * (len(LIBRARY) - 1)]
    assert there.title not in [near["title"] for near in found["matches"][0]["nearest_songs"]]


def test_a_song_is_no_reason_for_itself(world: SmallWorld, spec: MatchSpec) -> None:
    only = song("Solo", "A slow, lonely song about rain.", QUIET, artist="Nobody Else", release_date="1999")
    found = matched(world.answering({**LIBRARY, SAD: [*LIBRARY[SAD], only]}, spec), only, [SAD])
    assert order(found)[0] == SAD
    assert "Nobody Else" not in found["matches"][0]["why"]
    assert "1999" not in found["matches"][0]["why"]
