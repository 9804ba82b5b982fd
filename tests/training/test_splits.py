"""Songs and playlists keep to one side, whatever else is in the dataset."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.splits import (
    DEVELOPMENT_PLAYLISTS,
    DEVELOPMENT_REGIMES,
    DEVELOPMENT_SONGS,
    HELD_OUT_PLAYLISTS,
    LATER_SONGS,
    MOST_WEIGHING,
    REGIMES,
    TEST_SONGS,
    WEIGHING_SONGS,
    Split,
    later_clusters,
    pair_split,
    playlist_held_out,
    playlist_split,
    song_split,
    weighing,
)

KEYS = [f"key-{number}" for number in range(10_000)]
HELD_OUT = next(key for key in KEYS if playlist_held_out(key))
DEVELOPMENT = next(key for key in KEYS if playlist_split(key) is Split.DEVELOPMENT_PLAYLIST)
KEPT = next(key for key in KEYS if playlist_split(key) is Split.TRAIN)


def test_sides_do_not_move_from_one_release_to_the_next() -> None:
    sides = {number: song_split(f"song:artist:title{number}") for number in range(12)}
    assert {number for number, side in sides.items() if side is Split.UNSEEN_SONG} == {0, 8}
    assert {number for number, side in sides.items() if side is Split.DEVELOPMENT} == {1, 6}
    assert [number for number in range(20) if playlist_held_out(f"playlist-{number}")] == [2, 6, 18]


def test_songs_are_shared_out_as_promised() -> None:
    counts = Counter(song_split(key) for key in KEYS)
    assert set(counts) == {Split.UNSEEN_SONG, Split.DEVELOPMENT, Split.TRAIN}
    assert counts[Split.UNSEEN_SONG] / len(KEYS) == pytest.approx(TEST_SONGS, abs=0.012)
    assert counts[Split.DEVELOPMENT] / len(KEYS) == pytest.approx(DEVELOPMENT_SONGS, abs=0.012)
    assert counts[Split.TRAIN] / len(KEYS) == pytest.approx(1 - TEST_SONGS - DEVELOPMENT_SONGS, abs=0.015)


def test_one_playlist_in_ten_is_held_out() -> None:
    share = sum(playlist_held_out(key) for key in KEYS) / len(KEYS)
    assert share == pytest.approx(HELD_OUT_PLAYLISTS, abs=0.01)


def test_songs_and_playlists_of_one_name_are_drawn_apart() -> None:
    held_out = [key for key in KEYS if playlist_held_out(key)]
    tested = sum(song_split(key) is Split.UNSEEN_SONG for key in held_out)
    assert tested / len(held_out) == pytest.approx(TEST_SONGS, abs=0.05)


@given(st.text(), st.text(), st.booleans(), st.sampled_from(["", "fold 1"]))
def test_a_pair_is_for_what_the_sides_of_its_playlist_and_song_make_it(
    cluster: str, playlist: str, later: bool, salt: str
) -> None:
    split = pair_split(playlist, cluster, later=later, salt=salt)
    song, held = song_split(cluster, salt), playlist_split(playlist, salt)
    assert (split is Split.TRAIN) == (song is held is Split.TRAIN and not later)
    assert (split is Split.LATER) == (song is held is Split.TRAIN and later)
    assert (split in {Split.UNSEEN_PLAYLIST, Split.BOTH_UNSEEN}) == playlist_held_out(playlist, salt)
    if held is Split.TRAIN and song is not Split.TRAIN:
        assert split is song
    if split is Split.BOTH_UNSEEN:
        assert song is not Split.TRAIN


@given(st.text(), st.booleans())
def test_a_song_of_a_development_playlist_is_no_test_song(cluster: str, later: bool) -> None:
    split = pair_split(DEVELOPMENT, cluster, later=later)
    tested = song_split(cluster) is Split.UNSEEN_SONG or pair_split(KEPT, cluster, later=later) is Split.LATER
    assert split is (Split.ASIDE if tested else Split.DEVELOPMENT_PLAYLIST)


def test_one_playlist_in_twenty_is_for_development() -> None:
    share = sum(playlist_split(key) is Split.DEVELOPMENT_PLAYLIST for key in KEYS) / len(KEYS)
    assert share == pytest.approx(DEVELOPMENT_PLAYLISTS, abs=0.007)


def test_another_salt_deals_anew() -> None:
    tested = {salt: {key for key in KEYS if song_split(key, salt) is Split.UNSEEN_SONG} for salt in ("", "a", "b")}
    for one, other in (("", "a"), ("a", "b"), ("", "b")):
        assert len(tested[one] & tested[other]) / len(KEYS) == pytest.approx(TEST_SONGS**2, abs=0.01)
    assert playlist_split(HELD_OUT) is Split.UNSEEN_PLAYLIST
    assert {playlist_split(HELD_OUT, f"salt {number}") for number in range(50)} > {Split.UNSEEN_PLAYLIST}


def test_all_durations_of_a_song_keep_to_one_side() -> None:
    assert all(
        song_split(f"song:artist:title{number} 30") is song_split(f"song:artist:title{number}") for number in range(99)
    )


def test_regimes_are_what_no_training_sees_and_no_development_looks_at() -> None:
    assert not {*REGIMES, *DEVELOPMENT_REGIMES} & {Split.TRAIN, Split.ASIDE}
    assert not {*REGIMES} & {*DEVELOPMENT_REGIMES}
    assert {*REGIMES, *DEVELOPMENT_REGIMES, Split.TRAIN, Split.ASIDE} == set(Split)


# By time ------------------------------------------------------------------------------------------------------------

dates = st.dictionaries(st.text(max_size=4), st.floats(0, 2e9), max_size=60)


@given(dates)
def test_later_songs_are_newer_than_all_others_and_at_most_one_in_ten(dated: dict[str, float]) -> None:
    later = later_clusters(dated, share_dated=1.0)
    assert len(later) <= LATER_SONGS * len(dated)
    others = [added for cluster, added in dated.items() if cluster not in later]
    assert all(dated[cluster] > max(others) for cluster in later)


def test_the_newest_tenth_is_later() -> None:
    dated = {f"c{number}": float(number) for number in range(40)}
    assert later_clusters(dated, share_dated=0.5) == {"c36", "c37", "c38", "c39"}


def test_songs_that_came_all_at_once_are_not_split_by_time() -> None:
    assert later_clusters({f"c{number}": 7.0 for number in range(40)}, share_dated=1.0) == frozenset()


def test_without_dates_for_half_the_pairs_there_is_no_split_by_time() -> None:
    assert later_clusters({f"c{number}": float(number) for number in range(40)}, share_dated=0.49) == frozenset()


def test_the_songs_that_signals_are_weighed_by_are_of_the_training_side_and_always_the_same() -> None:
    chosen = weighing(KEYS)
    assert len(chosen) / len(KEYS) == pytest.approx(WEIGHING_SONGS, abs=0.01)
    assert {song_split(each) for each in chosen} == {Split.TRAIN}
    assert weighing(reversed(KEYS)) == chosen
    assert weighing(KEYS, "another deal") != chosen


def test_of_many_songs_no_more_are_kept_from_the_embedding_than_are_needed() -> None:
    many = [f"song {number}" for number in range(40_000)]
    assert len(weighing(many)) == MOST_WEIGHING
    assert weighing(many) < weighing(many[:30_000]) | weighing(many[30_000:])
