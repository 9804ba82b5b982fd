"""Songs and playlists keep to one side, whatever else is in the dataset."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.splits import (
    DEVELOPMENT_SONGS,
    HELD_OUT_PLAYLISTS,
    REGIMES,
    TEST_SONGS,
    Split,
    pair_split,
    playlist_held_out,
    song_split,
)

KEYS = [f"key-{number}" for number in range(10_000)]
HELD_OUT = next(key for key in KEYS if playlist_held_out(key))
KEPT = next(key for key in KEYS if not playlist_held_out(key))


def test_sides_do_not_move_from_one_release_to_the_next() -> None:
    sides = {number: song_split(f"song:artist:title{number}") for number in range(12)}
    assert {number for number, side in sides.items() if side is Split.UNSEEN_SONG} == {0, 8}
    assert {number for number, side in sides.items() if side is Split.DEVELOPMENT} == {1, 6}
    assert [number for number in range(20) if playlist_held_out(f"playlist-{number}")] == [2, 6, 18]


def test_songs_are_shared_out_as_promised() -> None:
    counts = Counter(song_split(key) for key in KEYS)
    assert counts[Split.UNSEEN_SONG] / len(KEYS) == pytest.approx(TEST_SONGS, abs=0.012)
    assert counts[Split.DEVELOPMENT] / len(KEYS) == pytest.approx(DEVELOPMENT_SONGS, abs=0.012)
    assert counts[Split.TRAIN] / len(KEYS) == pytest.approx(1 - TEST_SONGS - DEVELOPMENT_SONGS, abs=0.015)
    assert Split.UNSEEN_PLAYLIST not in counts


def test_one_playlist_in_ten_is_held_out() -> None:
    share = sum(playlist_held_out(key) for key in KEYS) / len(KEYS)
    assert share == pytest.approx(HELD_OUT_PLAYLISTS, abs=0.01)


def test_songs_and_playlists_of_one_name_are_drawn_apart() -> None:
    held_out = [key for key in KEYS if playlist_held_out(key)]
    tested = sum(song_split(key) is Split.UNSEEN_SONG for key in held_out)
    assert tested / len(held_out) == pytest.approx(TEST_SONGS, abs=0.05)


@given(st.text(), st.text())
def test_a_cluster_is_on_one_side_in_all_playlists_that_are_trained_on(cluster: str, playlist: str) -> None:
    expected = Split.UNSEEN_PLAYLIST if playlist_held_out(playlist) else song_split(cluster)
    assert pair_split(playlist, cluster) is expected
    assert pair_split(KEPT, cluster) is song_split(cluster)


@given(st.text())
def test_no_pair_of_a_held_out_playlist_is_trained_on(cluster: str) -> None:
    assert pair_split(HELD_OUT, cluster) is Split.UNSEEN_PLAYLIST


def test_the_test_regimes_are_those_that_no_training_sees() -> None:
    assert set(REGIMES) == {Split.UNSEEN_SONG, Split.UNSEEN_PLAYLIST}
