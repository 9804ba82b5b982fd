"""What vectors say of a song and a playlist."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import Song
from registry.vectors.records import StoredProfile, Vector
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.matching.signals.semantic import NEAREST, CentroidSignal, NearestSignal, TextSignal

Holding = Callable[..., StoredProfile]


def songs(count: int, prefix: str = "s") -> list[Song]:
    return [Song(song_id=f"{prefix}{number}", title=f"Song {number}") for number in range(count)]


def leaning(*cosines: float) -> list[Vector]:
    """Unit vectors with these cosines to the first axis."""
    return [np.array([each, np.sqrt(1 - each**2), 0], np.float32) for each in cosines]


def asked(name: str = "asked", vector: Sequence[float] = (1, 0, 0)) -> AskedSongs:
    return AskedSongs([Song(song_id=name, title="T")], np.array([vector], np.float32))


def test_nearest_is_the_mean_of_the_three_most_alike(holding: Holding) -> None:
    signal = NearestSignal.build([holding("p", songs(5), leaning(0.1, 0.9, 0.5, 0.7, 0.2))], 3)
    assert signal.scores(asked())[0, 0] == pytest.approx((0.9 + 0.7 + 0.5) / 3)


def test_a_song_is_not_compared_with_itself(holding: Holding) -> None:
    signal = NearestSignal.build([holding("p", songs(4), leaning(1.0, 0.4, 0.6, 0.2))], 3)
    assert signal.scores(asked("s0"))[0, 0] == pytest.approx(0.4)
    (near,) = signal.nearest(asked("s0"), 0)
    assert [song.song_id for song, _ in near] == ["s2", "s1", "s3"]


def test_a_playlist_that_holds_nothing_but_the_song_says_nothing(holding: Holding) -> None:
    signal = NearestSignal.build([holding("p", songs(1), leaning(1.0))], 3)
    assert np.isnan(signal.scores(asked("s0"))).all()
    assert signal.nearest(asked("s0"), 0) == [[]]


def test_songs_without_a_vector_and_playlists_without_songs_are_passed_over(holding: Holding) -> None:
    some, none = holding("some", songs(3, "t"), leaning(0.3)), holding("none", [])
    signal = NearestSignal.build([some, none], 3)
    np.testing.assert_allclose(signal.scores(asked())[0], [0.3, np.nan], atol=1e-6)
    centroid = CentroidSignal.build([some, none], 3)
    np.testing.assert_allclose(centroid.scores(asked())[0], [0.3, np.nan], atol=1e-6)


def test_the_nearest_come_with_their_cosines(holding: Holding) -> None:
    signal = NearestSignal.build([holding("a", songs(4), leaning(0.1, 0.9, 0.5, 0.7)), holding("b", songs(1, "t"))], 3)
    (near,) = signal.nearest(asked(), 0)
    assert [song.song_id for song, _ in near] == ["s1", "s3", "s2"]
    assert [cosine for _, cosine in near] == pytest.approx([0.9, 0.7, 0.5], abs=1e-6)
    assert signal.nearest(asked(), 1) == [[]]


def test_no_playlists_and_no_songs_are_no_trouble(holding: Holding) -> None:
    for signal in (NearestSignal.build([], 3), TextSignal.build([], 3), CentroidSignal.build([], 3)):
        assert signal.scores(asked()).shape == (1, 0)
    nobody = AskedSongs([], np.zeros((0, 3), np.float32))
    assert NearestSignal.build([holding("p", songs(2), leaning(0.1, 0.2))], 3).scores(nobody).shape == (0, 1)


vectors = st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=3).filter(any), max_size=7)


@given(playlists=st.lists(vectors, min_size=1, max_size=4), queries=vectors.filter(len))
def test_nearest_is_what_sorting_every_playlist_gives(
    holding: Holding, playlists: list[list[list[int]]], queries: list[list[int]]
) -> None:
    def scaled(rows: list[list[int]]) -> Matrix:
        array = np.array(rows, np.float32).reshape(-1, 3)
        return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True), np.float32)

    profiles = [
        holding(str(row), songs(len(each), f"{row}-"), list(scaled(each))) for row, each in enumerate(playlists)
    ]
    wanted = scaled(queries)
    asking = AskedSongs(songs(len(queries), "q"), wanted)
    signal = NearestSignal.build(profiles, 3)
    found = signal.scores(asking)
    for column, held in enumerate(playlists):
        if not held:
            assert np.isnan(found[:, column]).all()
            continue
        best = -np.sort(-(wanted @ scaled(held).T), axis=1)[:, :NEAREST]
        np.testing.assert_allclose(found[:, column], best.mean(axis=1), atol=1e-5)
        np.testing.assert_allclose(signal.only(column).scores(asking)[:, 0], found[:, column], atol=1e-5)
