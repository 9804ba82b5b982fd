"""Caps and tempering: nothing drowns the rest, whatever exceeds a cap is known all the same."""

from collections import Counter, defaultdict
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import weights
from training.pairs import Pair
from training.weights import training_weights


def weigh(pairs: list[Pair], clusters: dict[str, str] | None = None) -> list[float]:
    found = training_weights(pairs, clusters or {pair.song_id: pair.song_id for pair in pairs})
    return [float(weight) for weight in found]


def test_few_pairs_weigh_what_their_sources_do() -> None:
    assert weigh([Pair("p", "a", "curated"), Pair("p", "b", "assigned", 0.7), Pair("q", "a", "public", 0)]) == [
        1,
        0.7,
        0,
    ]


def test_no_pairs_have_no_weights() -> None:
    assert weigh([]) == []


def test_a_song_is_trained_on_in_fifty_playlists_at_most_and_less_in_each() -> None:
    found = weigh([Pair(f"p{number}", "a", "curated") for number in range(60)])
    assert Counter(found) == {0: 10, round(sqrt(8 / 50), 6): 50}


@pytest.mark.parametrize(("playlists", "weight"), [(8, 1.0), (9, sqrt(8 / 9)), (32, 0.5)])
def test_popular_songs_weigh_less(playlists: int, weight: float) -> None:
    found = weigh([Pair(f"p{number}", "a", "curated") for number in range(playlists)])
    assert found == pytest.approx([weight] * playlists)


def test_what_is_not_trained_on_makes_no_song_popular() -> None:
    weak = [Pair(f"q{number}", "a", "public", 0) for number in range(100)]
    assert weigh([Pair("p", "a", "curated"), *weak]) == [1.0] + [0] * 100


def test_recordings_of_one_song_are_capped_as_one() -> None:
    pairs = [Pair(f"p{number}", song, "curated") for number in range(60) for song in ("a", "a-live")]
    found = weigh(pairs, {"a": "a", "a-live": "a"})
    assert len({pair.playlist_id for pair, weight in zip(pairs, found, strict=True) if weight}) == 50
    assert found[::2] == found[1::2]


def test_a_playlist_is_trained_on_with_five_hundred_songs_at_most() -> None:
    found = weigh([Pair("p", f"s{number}", "curated") for number in range(510)])
    assert Counter(found) == {1.0: 500, 0: 10}


def test_a_users_word_is_capped_and_that_of_several_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PAIRS_PER_USER", 5)
    ann = [Pair(f"p{number}", f"s{number}", "accepted", user="ann") for number in range(9)]
    bob = [Pair(f"p{number}", f"t{number}", "accepted", user="bob") for number in range(5)]
    both = [Pair(f"p{number}", f"u{number}", "accepted") for number in range(9)]
    found = weigh([*ann, *bob, *both])
    assert sum(found[:9]) == 5
    assert found[9:] == [1] * 14


def test_the_strongest_sources_stay() -> None:
    weak = [Pair("p", f"a{number}", "assigned", 0.7) for number in range(300)]
    strong = [Pair("p", f"z{number}", "curated") for number in range(300)]
    found = weigh([*weak, *strong])
    assert found[300:] == [1.0] * 300
    assert sum(map(bool, found[:300])) == 200


def test_what_is_left_out_stays_so_when_others_come() -> None:
    """Which ones stay hangs on the pairs themselves and not on where they stand."""
    pairs = [Pair("p", f"s{number}", "curated") for number in range(510)]
    one, other = weigh(pairs), weigh([*(Pair("q", f"t{number}", "curated") for number in range(9)), *pairs])[9:]
    assert one == other


pairs_of = st.lists(
    st.builds(
        lambda playlist, song, worth, user: Pair(f"p{playlist}", f"s{song}", worth[0], worth[1], user=user),
        st.integers(0, 5),
        st.integers(0, 30),
        st.sampled_from([("curated", 1.0), ("assigned", 0.7), ("public", 0.5), ("public", 0.0)]),
        st.sampled_from([None, "ann", "bob"]),
    ),
    unique_by=lambda pair: pair[:2],
    max_size=120,
)


@given(data=st.data(), pairs=pairs_of)
def test_caps_hold_and_nothing_gains(data: st.DataObject, pairs: list[Pair]) -> None:
    clusters = {f"s{number}": f"c{number // 2}" for number in range(31)}
    with pytest.MonkeyPatch.context() as patch:
        for name, cap in (("PLAYLISTS_PER_SONG", 3), ("SONGS_PER_PLAYLIST", 4), ("PAIRS_PER_USER", 5)):
            patch.setattr(weights, name, cap)
        found = dict(zip(pairs, weigh(pairs, clusters), strict=True))
        shuffled = data.draw(st.permutations(pairs))
        assert dict(zip(shuffled, weigh(shuffled, clusters), strict=True)) == found
    by_song: dict[str, set[str]] = defaultdict(set)
    by_playlist: dict[str, set[str]] = defaultdict(set)
    by_user: Counter[str | None] = Counter()
    for pair, weight in found.items():
        assert 0 <= weight <= pair.weight
        if weight:
            by_song[clusters[pair.song_id]].add(pair.playlist_id)
            by_playlist[pair.playlist_id].add(clusters[pair.song_id])
            by_user[pair.user] += 1
    assert all(len(playlists) <= 3 for playlists in by_song.values())
    assert all(len(songs) <= 4 for songs in by_playlist.values())
    assert by_user["ann"] <= 5 >= by_user["bob"]
