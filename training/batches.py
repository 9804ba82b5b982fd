"""Batches in which the negatives are negative.

The loss takes every song of a batch as a negative of every other row's anchor. So no song of a batch (nor a
near-duplicate of it, nor a row's hard negative) may be known to belong where another row's anchor comes from.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import datasets
from sentence_transformers.base.sampler import DefaultBatchSampler

from training.examples import Example, ExampleSource

Holders = Mapping[str, frozenset[str]]
"""By song id, the playlists known to hold it."""


@dataclass
class _Batch:
    """Examples, the playlists that their anchors stand for, and the playlists that their songs are known to be in."""

    examples: list[Example] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)

    def takes(self, anchors: frozenset[str], holders: frozenset[str]) -> bool:
        """Whether an example's songs would be true negatives of every anchor here, and the songs here of its own."""
        return self.holders.isdisjoint(anchors) and self.anchors.isdisjoint(holders)

    def add(self, example: Example, anchors: frozenset[str], holders: frozenset[str]) -> None:
        """Take an example in."""
        self.examples.append(example)
        self.anchors |= anchors
        self.holders |= holders


def deal(examples: Sequence[Example], holders: Holders, batch_size: int, chance: random.Random) -> list[list[Example]]:
    """Deal every example into a batch, each batch free of false negatives.

    Batches come out about equally large: where playlists are few, each holds a pair of most of them.
    """
    by_playlist: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_playlist[example.playlist_id].append(example)
    most = max(map(len, by_playlist.values()), default=0)
    batches = [_Batch() for _ in range(max(most, -(-len(examples) // batch_size)))]
    position = 0
    # The largest playlists first: they need the most batches that do not hold them yet.
    for playlist in sorted(by_playlist, key=lambda each: (-len(by_playlist[each]), chance.random())):
        for example in chance.sample(by_playlist[playlist], len(by_playlist[playlist])):
            position = _place(example, holders, batches, position, batch_size)
    chance.shuffle(batches)
    return [each.examples for each in batches if each.examples]


def _place(example: Example, holders: Holders, batches: list[_Batch], position: int, batch_size: int) -> int:
    """Put an example into the next batch, round and round, that takes it; return where to look for the one after."""
    anchors = _anchors(example, holders)
    held = holders[example.song_id].union(*(holders[each] for each in example.negatives))
    for step in range(len(batches)):
        here = (position + step) % len(batches)
        batch = batches[here]
        if len(batch.examples) < batch_size and batch.takes(anchors, held):
            batch.add(example, anchors, held)
            return here + 1
    batches.append(_Batch())
    batches[-1].add(example, anchors, held)
    return position


def _anchors(example: Example, holders: Holders) -> frozenset[str]:
    """The playlists that an anchor stands for: a song as anchor stands for every playlist it is in."""
    own = frozenset((example.playlist_id,))
    return own if example.sibling_id is None else own | holders[example.sibling_id]


def plan_batches(
    source: ExampleSource, *, epochs: int, batch_size: int, seed: int, processes: int = 1
) -> list[list[Example]]:
    """All batches of a training, epoch after epoch.

    Args:
        processes: how many share the work, each taking every n-th batch; an epoch's remainder is left out.
    """
    planned: list[list[Example]] = []
    for number in range(epochs):
        chance = random.Random(f"batches:{seed}:{number}")  # noqa: S311 - reproducible, not secret
        batches = deal(source.epoch(number), source.holders, batch_size, chance)
        planned += batches[: len(batches) // processes * processes] or batches[:1] * processes
    return planned


class PlannedBatchSampler(DefaultBatchSampler):
    """Gives the trainer the batches as planned: row numbers, counted through from batch to batch."""

    def __init__(self, dataset: datasets.Dataset, sizes: Sequence[int]) -> None:
        super().__init__(dataset, batch_size=max(sizes, default=1), drop_last=False)
        # Where several processes share the batches, accelerate passes over those that are not of the size given here.
        self.batch_size = None  # type: ignore[assignment]
        self._sizes = sizes

    def __iter__(self) -> Iterator[list[int]]:
        """Row numbers, batch by batch."""
        start = 0
        for size in self._sizes:
            yield list(range(start, start + size))
            start += size

    def __len__(self) -> int:
        """Batches in the whole training."""
        return len(self._sizes)
