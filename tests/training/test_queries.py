"""What a test asks: each song once, whatever number of recordings it has."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from registry.records import Playlist, Song
from training.dataset import LabelledPair, PairDataset
from training.queries import Query, cluster_queries
from training.splits import Split

Make = Callable[..., PairDataset]


def dataset_of(*pairs: tuple[str, str, Split, float]) -> PairDataset:
    """Of pairs (playlist, song, split, weight); songs "a1" and "a2" are recordings of "a"; "q" has no genre."""
    songs, playlists = {pair[1] for pair in pairs}, {pair[0] for pair in pairs}
    return PairDataset(
        template=1,
        songs={each: Song(song_id=each, title=each) for each in sorted(songs)},
        clusters={each: each[0] for each in sorted(songs)},
        playlists={
            each: Playlist(playlist_id=each, name=each, genre=None if each == "q" else f"genre of {each}")
            for each in sorted(playlists)
        },
        pairs=tuple(LabelledPair(pair[0], pair[1], "curated", *pair[2:]) for pair in pairs),
    )


def test_recordings_of_one_song_are_one_query() -> None:
    dataset = dataset_of(
        ("q", "a2", Split.UNSEEN_SONG, 1), ("p", "a3", Split.UNSEEN_SONG, 1), ("q", "b1", Split.UNSEEN_SONG, 1)
    )
    assert cluster_queries(dataset, Split.UNSEEN_SONG) == [
        Query("a2", frozenset({"p", "q"}), "genre of p", "p"),
        Query("b1", frozenset({"q"}), "unknown", "q"),
    ]


def test_other_splits_are_not_asked_for() -> None:
    dataset = dataset_of(
        ("p", "a1", Split.UNSEEN_SONG, 1), ("q", "a1", Split.BOTH_UNSEEN, 1), ("p", "b1", Split.TRAIN, 1)
    )
    assert cluster_queries(dataset, Split.UNSEEN_SONG) == [Query("a1", frozenset({"p"}), "genre of p", "p")]
    assert cluster_queries(dataset, Split.LATER) == []


def test_what_weak_sources_alone_place_is_not_asked_for_but_is_right_where_it_is() -> None:
    split = Split.UNSEEN_SONG
    dataset = dataset_of(("p", "a1", split, 0), ("p", "b1", split, 0), ("q", "b1", split, 0.7))
    assert cluster_queries(dataset, split) == [Query("b1", frozenset({"p", "q"}), "genre of p", "p")]


splits = st.sampled_from([Split.TRAIN, Split.UNSEEN_SONG])
pairs = st.tuples(
    st.sampled_from("pqr"), st.sampled_from(["a1", "a2", "b1", "b2", "c1"]), splits, st.sampled_from([0, 1])
)


@given(st.lists(pairs, unique_by=lambda pair: pair[:2]))
def test_each_song_is_asked_for_once_and_every_pair_is_right_for_its_song(
    made: list[tuple[str, str, Split, float]],
) -> None:
    dataset = dataset_of(*made)
    queries = cluster_queries(dataset, Split.UNSEEN_SONG)
    tested = dataset.select(Split.UNSEEN_SONG)
    songs = [dataset.clusters[query.song_id] for query in queries]
    assert sorted(songs) == sorted({dataset.clusters[pair.song_id] for pair in tested if pair.weight})
    assert [query.song_id for query in queries] == sorted(query.song_id for query in queries)
    for query, song in zip(queries, songs, strict=True):
        assert query.playlist_ids == {pair.playlist_id for pair in tested if pair.song_id[0] == song}
        assert query.group in query.playlist_ids
