from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from registry.records import Playlist, Song
from training.batches import BatchPlan
from training.dataset import LabelledPair, PairDataset
from training.splits import Split


def dataset(holdings: set[tuple[int, int]], clusters: dict[int, str] | None = None) -> PairDataset:
    """A dataset of (playlist, song) training pairs; each song its own cluster unless told otherwise."""
    named = clusters or {}
    songs = sorted({song for _, song in holdings})
    playlists = sorted({playlist for playlist, _ in holdings})
    return PairDataset(
        template=1,
        songs={f"s{each}": Song(song_id=f"s{each}", title=f"Title {each}") for each in songs},
        clusters={f"s{each}": named.get(each, f"c{each}") for each in songs},
        playlists={f"p{each}": Playlist(playlist_id=f"p{each}", name=f"List {each}") for each in playlists},
        pairs=tuple(
            LabelledPair(f"p{playlist}", f"s{song}", "curated", Split.TRAIN) for playlist, song in sorted(holdings)
        ),
    )


def false_negatives(data: PairDataset, rows: list[int]) -> int:
    """In-batch negatives that are in truth positives, counted pair by pair."""
    pairs = data.select(Split.TRAIN)
    belongs = {(pair.playlist_id, data.clusters[pair.song_id]) for pair in data.pairs}
    batch = [pairs[row] for row in rows]
    return sum(
        (one.playlist_id, data.clusters[other.song_id]) in belongs for one in batch for other in batch if one != other
    )


holdings = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 30)), min_size=2, max_size=90)


@given(holdings, st.integers(2, 12), st.integers(0, 3), st.dictionaries(st.integers(0, 30), st.sampled_from("xyz")))
def test_no_negative_of_a_whole_training_is_a_known_positive(
    held: set[tuple[int, int]], size: int, seed: int, clusters: dict[int, str]
) -> None:
    data = dataset(held, clusters)
    plan = BatchPlan(data, size, seed)
    for epoch in range(4):
        batches = plan.epoch(epoch)
        assert len(batches) == plan.length
        assert all(1 <= len(rows) <= size for rows in batches)
        assert all(false_negatives(data, rows) == 0 for rows in batches)
        assert all(count == 1 for count in Counter(row for rows in batches for row in rows).values())


@given(holdings, st.integers(2, 12))
def test_the_first_epoch_passes_over_every_pair(held: set[tuple[int, int]], size: int) -> None:
    batches = BatchPlan(dataset(held), size, 0).epoch(0)
    assert sorted(row for rows in batches for row in rows) == list(range(len(held)))


def test_where_playlists_are_few_every_epoch_still_passes_over_every_pair_in_even_batches() -> None:
    data = dataset({(playlist, 100 * playlist + song) for playlist in range(10) for song in range(20)})
    plan = BatchPlan(data, 64, 0)
    for epoch in range(3):
        assert [len(rows) for rows in plan.epoch(epoch)] == [10] * 20


def test_epochs_are_dealt_anew_and_reproducibly() -> None:
    data = dataset({(playlist, 100 * playlist + song) for playlist in range(10) for song in range(20)})
    plan, same, other = BatchPlan(data, 8, 0), BatchPlan(data, 8, 0), BatchPlan(data, 8, 1)
    assert plan.epoch(3) == same.epoch(3)
    assert plan.epoch(3) != plan.epoch(4)
    assert plan.epoch(3) != other.epoch(3)
