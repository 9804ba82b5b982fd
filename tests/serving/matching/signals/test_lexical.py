"""Word by word."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from registry.records import Song
from registry.texts import render_song
from registry.vectors.records import StoredProfile
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.matching.signals.lexical import LexicalSignal

Holding = Callable[..., StoredProfile]


def songs(*descriptions: str) -> list[Song]:
    return [Song(song_id=f"s{row}", title=f"Tune {row}", description=each) for row, each in enumerate(descriptions)]


def scores(signal: LexicalSignal, *asked: Song) -> Matrix:
    return signal.scores(AskedSongs(asked, np.zeros((len(asked), 3), np.float32)))


SEA = ("boats in the harbour", "the harbour at night", "fishing boats and rain")
CITY = ("traffic and neon", "neon lights of the city", "subway in the rain")


def test_it_is_the_cosine_of_tf_idf_and_the_mean_of_the_songs(holding: Holding) -> None:
    """As scikit-learn's own TF-IDF gives it."""
    asked = songs("neon over the harbour", "rain", "boats boats boats")
    signal = LexicalSignal.build([holding("sea", songs(*SEA)), holding("city", songs(*CITY))], 2)
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106
    members = vectoriser.fit_transform([render_song(song, 2) for song in (*songs(*SEA), *songs(*CITY))]).toarray()
    means = np.array([members[:3].mean(axis=0), members[3:].mean(axis=0)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    wanted = scores(signal, *asked)
    known = vectoriser.transform([render_song(song, 2) for song in asked]).toarray() @ means.T
    # Terms that no playlist has lengthen the song's vector here, and are unknown to scikit-learn: compare directions.
    np.testing.assert_allclose(
        wanted / wanted.sum(axis=1, keepdims=True), known / known.sum(axis=1, keepdims=True), atol=1e-5
    )


def test_a_playlist_without_songs_is_taken_by_its_own_words(holding: Holding) -> None:
    signal = LexicalSignal.build([holding("Harbour", []), holding("Neon", songs(*SEA))], 2)
    at_sea, neon = scores(signal, *songs("harbour", "neon"))
    assert at_sea[0] > 0
    assert neon[0] == 0


def test_songs_without_a_common_word_have_nothing_to_do_with_each_other(holding: Holding) -> None:
    signal = LexicalSignal.build([holding("p", [Song(song_id="a", title="Ost")])], 2)
    assert scores(signal, Song(song_id="b", title="West"))[0, 0] == 0


def test_playlists_that_have_not_changed_are_not_counted_again(holding: Holding) -> None:
    sea, city = holding("sea", songs(*SEA)), holding("city", songs(*CITY))
    before = LexicalSignal.build([sea, city], 2)
    after = LexicalSignal.build([sea, holding("city", songs("a wholly new song"))], 2, before)
    assert after.counts["sea"][1] is before.counts["sea"][1]
    fresh = LexicalSignal.build([sea, holding("city", songs("a wholly new song"))], 2)
    np.testing.assert_array_equal(scores(after, *songs("harbour new")), scores(fresh, *songs("harbour new")))
    other = LexicalSignal.build([sea], 1, before)
    assert other.counts["sea"][1] is not before.counts["sea"][1]  # another template, other words


def test_shared_words_are_told_the_rarest_first(holding: Holding) -> None:
    signal = LexicalSignal.build([holding("sea", songs(*SEA)), holding("city", songs(*CITY))], 2)
    song = Song(song_id="x", title="Rain", description="the boats of the harbour in neon rain")
    told = signal.shared_words(song, 0)
    assert set(told[:2]) == {"boats", "harbour"}
    assert "neon" not in told
    assert signal.shared_words(Song(song_id="y", title="..."), 0) == []


def test_nothing_at_all_is_no_trouble(holding: Holding) -> None:
    assert scores(LexicalSignal.build([], 2), *songs("rain")).shape == (1, 0)
    empty = LexicalSignal.build([holding("...", [])], 2)
    assert np.isnan(scores(empty, *songs("rain"))).all()


@pytest.mark.parametrize("row", [0, 1])
def test_one_playlist_alone_scores_as_it_does_among_others(holding: Holding, row: int) -> None:
    signal = LexicalSignal.build([holding("sea", songs(*SEA)), holding("city", songs(*CITY))], 2)
    asked = songs("neon over the harbour", "rain")
    np.testing.assert_allclose(scores(signal.only(row), *asked)[:, 0], scores(signal, *asked)[:, row], atol=1e-6)
