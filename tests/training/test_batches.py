"""Over whole trainings, nothing that stands in a batch as a negative is a known positive."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import Playlist, Song
from training.batches import PlannedBatchSampler, plan_batches
from training.configuration import TrainingConfiguration
from training.dataset import LabelledPair, PairDataset
from training.examples import Example, ExampleSource
from training.splits import Split, weighing

PLAIN = TrainingConfiguration(profile="test", epochs=3, batch_size=8, learning_rate=1e-4)


def dataset(
    holdings: set[tuple[int, int]],
    clusters: dict[int, str] | None = None,
    weights: dict[tuple[int, int], float] | None = None,
) -> PairDataset:
    """A dataset of (playlist, song) training pairs; each song its own cluster unless told otherwise."""
    named, weight = clusters or {}, weights or {}
    songs = sorted({song for _, song in holdings})
    playlists = sorted({playlist for playlist, _ in holdings})
    return PairDataset(
        template=1,
        songs={f"s{each}": Song(song_id=f"s{each}", title=f"Title {each}") for each in songs},
        clusters={f"s{each}": named.get(each, f"c{each}") for each in songs},
        playlists={f"p{each}": Playlist(playlist_id=f"p{each}", name=f"List {each}") for each in playlists},
        pairs=tuple(
            LabelledPair(f"p{playlist}", f"s{song}", "curated", Split.TRAIN, weight.get((playlist, song), 1.0))
            for playlist, song in sorted(holdings)
        ),
    )


def false_negatives(data: PairDataset, batch: list[Example]) -> int:
    """In-batch negatives that are in truth positives, counted example by example."""
    belongs = {(pair.playlist_id, data.clusters[pair.song_id]) for pair in data.pairs}
    playlists = set(data.playlists)

    def stands_for(example: Example) -> set[str]:
        if example.sibling_id is None:
            return {example.playlist_id}
        return {each for each in playlists if (each, data.clusters[example.sibling_id]) in belongs}

    wrong = 0
    for one in batch:
        anchors = stands_for(one)
        negatives = [*one.negatives] + [
            song for other in batch if other is not one for song in (other.song_id, *other.negatives)
        ]
        wrong += sum((anchor, data.clusters[song]) in belongs for anchor in anchors for song in negatives)
    return wrong


holdings = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 30)), min_size=2, max_size=90)
clusterings = st.dictionaries(st.integers(0, 30), st.sampled_from("xyz"))


@given(
    holdings, st.integers(2, 12), st.integers(0, 3), clusterings, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 2)
)
def test_no_negative_of_a_whole_training_is_a_known_positive(
    held: set[tuple[int, int]], size: int, seed: int, clusters: dict[int, str], siblings: float, negatives: int
) -> None:
    data = dataset(held, clusters)
    configuration = PLAIN.model_copy(update={"siblings": siblings, "hard_negatives": negatives, "seed": seed})
    hard = {each: list(data.songs)[:9] for each in data.playlists}
    source = ExampleSource(data, configuration, negatives=hard)
    batches = plan_batches(source, epochs=3, batch_size=size, seed=seed)
    assert all(1 <= len(batch) <= size for batch in batches)
    assert sum(false_negatives(data, batch) for batch in batches) == 0


@given(holdings, st.integers(2, 12), clusterings)
def test_every_epoch_passes_over_every_pair_once(
    held: set[tuple[int, int]], size: int, clusters: dict[int, str]
) -> None:
    data = dataset(held, clusters)
    batches = plan_batches(ExampleSource(data, PLAIN), epochs=3, batch_size=size, seed=0)
    seen = Counter((each.playlist_id, each.song_id) for batch in batches for each in batch)
    assert seen == Counter({(pair.playlist_id, pair.song_id): 3 for pair in data.trained_on()})


def few_playlists() -> ExampleSource:
    """Ten playlists of twenty songs that an embedding is trained on."""
    kept = weighing(f"c{number}" for number in range(1_000))
    trained = [[song for song in range(100 * row, 100 * row + 100) if f"c{song}" not in kept] for row in range(10)]
    return ExampleSource(dataset({(row, song) for row, songs in enumerate(trained) for song in songs[:20]}), PLAIN)


def test_where_playlists_are_few_batches_are_even() -> None:
    assert [len(batch) for batch in plan_batches(few_playlists(), epochs=3, batch_size=64, seed=0)] == [10] * 60


def test_epochs_are_dealt_anew_and_reproducibly() -> None:
    def plan(seed: int) -> list[list[Example]]:
        return plan_batches(few_playlists(), epochs=2, batch_size=8, seed=seed)

    assert plan(0) == plan(0)
    assert plan(0) != plan(1)
    half = len(plan(0)) // 2
    assert plan(0)[:half] != plan(0)[half:]


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_several_processes_get_the_same_number_of_batches(processes: int) -> None:
    planned = plan_batches(few_playlists(), epochs=3, batch_size=8, seed=0, processes=processes)
    assert len(planned) % processes == 0
    assert planned


def test_the_sampler_counts_the_rows_through_from_batch_to_batch() -> None:
    import datasets

    rows = datasets.Dataset.from_dict({"anchor": list("abcdef")})
    sampler = PlannedBatchSampler(rows, [2, 1, 3])
    assert list(sampler) == [[0, 1], [2], [3, 4, 5]]
    assert len(sampler) == 3
