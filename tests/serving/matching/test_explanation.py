"""Why, in words."""

import numpy as np
import pytest

from registry.records import AudioFeatures, Playlist, Song
from registry.vectors.records import Member, StoredProfile
from registry.versions import EmotionScale
from serving.matching.calibration import measure_features, measure_sounds, uncalibrated
from serving.matching.explanation import Explanation, explain
from serving.matching.index import PlaylistIndex
from serving.matching.signals.asked import AskedSongs
from serving.matching.signals.names import SIGNALS

AXES = np.eye(3, dtype=np.float32)


def song(number: int, energy: float, **fields: str) -> Song:
    return Song.model_validate(
        {"song_id": f"s{number}", "title": f"Tune {number}", "audio_features": AudioFeatures(energy=energy), **fields}
    )


HELD = [song(row, 0.9, artist="Ada", genre="Deep House", release_date="1999") for row in range(4)]
OTHERS = [song(row, 0.1, artist="Bo", genre="Folk", release_date="1960") for row in range(4, 8)]
FELT = np.array([0.9, 0.8, 0.1], np.float32)
SPEC = uncalibrated(
    measure_features([*HELD, *OTHERS]),
    measure_sounds([*HELD, *OTHERS], [HELD, OTHERS]),
    [EmotionScale(label=label, mean=0, spread=1) for label in ("joy", "love", "fear")],
    signals=SIGNALS,
)


def playlist(name: str, songs: list[Song], axis: int) -> StoredProfile:
    vectors = [np.asarray(AXES[axis] + 0.1 * row * AXES[2], np.float32) for row in range(len(songs))]
    known = zip(songs, vectors, strict=True)
    members = tuple(Member(each, vector / np.linalg.norm(vector), FELT) for each, vector in known)
    return StoredProfile(Playlist(playlist_id=name, name=name), AXES[axis], AXES[axis], len(songs), {}, members)


INDEX = PlaylistIndex.build([playlist("dance", HELD, 0), playlist("fire", OTHERS, 1)], SPEC, 3)
ASKED = AskedSongs([song(99, 0.92, artist="Ada", genre="deep house", release_date="2001")], AXES[:1], FELT[None, :])


def why(**shares: float) -> Explanation:
    return explain(ASKED, INDEX, 0, {name: shares.get(name, 0.0) for name in SIGNALS})


def test_the_nearest_songs_are_told() -> None:
    told = why(nearest=1.0)
    assert [each.title for each, _ in told.nearest] == ["Tune 0", "Tune 1", "Tune 2"]
    assert told.why == "It is close to \u201cTune 0\u201d and \u201cTune 1\u201d."
    first = told.as_json()["nearest_songs"][0]
    assert first == {"song_id": "s0", "title": "Tune 0", "artist": "Ada", "similarity": 1.0}


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ("text", "It fits what the playlist says of itself."),
        ("centroid", "It is like the playlist's songs as a whole."),
        ("artist", "4 songs by Ada are there."),
        ("genre", "4 of its songs are deep house."),
        ("era", "4 of its songs are of the years around 2001."),
        ("acoustic", "It sounds alike (energy)."),
        ("emotion", "It feels alike (joy, love)."),
    ],
)
def test_each_signal_has_its_words(signal: str, words: str) -> None:
    assert why(**{signal: 1.0}).why == words


def test_one_song_is_told_as_one_and_a_song_is_no_reason_for_itself() -> None:
    index = PlaylistIndex.build([playlist("dance", [*OTHERS, HELD[0]], 0)], SPEC, 3)
    told = {name: explain(ASKED, index, 0, {name: 1.0}).why for name in ("artist", "genre", "era")}
    assert told == {
        "artist": "1 song by Ada is there.",
        "genre": "1 of its songs is deep house.",
        "era": "1 of its songs is of the years around 2001.",
    }
    itself = AskedSongs(HELD[:1], AXES[:1])
    for name in told:
        assert explain(itself, index, 0, {name: 1.0}).why == "Nothing speaks for it much."


def test_shared_words_are_named() -> None:
    assert "ada" in why(lexical=1.0).why


def test_what_speaks_most_comes_first_and_trifles_are_left_out() -> None:
    assert why(artist=1.0, genre=2.0, text=0.1).why == "4 of its songs are deep house and 4 songs by Ada are there."


def test_what_speaks_against_it_is_told_too() -> None:
    assert why(genre=2.0, acoustic=-1.0).why == "4 of its songs are deep house, though it sounds different."
    assert "though" not in why(genre=2.0, acoustic=-0.1).why


def test_emotions_that_speak_without_one_in_common_are_told_without_any() -> None:
    unmoved = AskedSongs(ASKED.songs, ASKED.vectors, np.full((1, 3), 0.1, np.float32))
    assert explain(unmoved, INDEX, 0, {"emotion": 1.0}).why == "It feels alike."
    assert why(genre=2.0, emotion=-1.0).why.endswith(", though it feels different.")


def test_where_nothing_speaks_for_it_that_is_said() -> None:
    assert why(acoustic=-1.0).why == "Nothing speaks for it much."
    assert explain(ASKED, PlaylistIndex.build([playlist("new", [], 0)], SPEC, 3), 0, {}).nearest == []
