"""Batches in which the negatives are negative.

The loss takes the other pairs of a batch as negatives. So no two pairs of a batch share a playlist, and no song of a
batch (nor a near-duplicate of it) is known to belong to another pair's playlist.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import datasets
from sentence_transformers.base.sampler import DefaultBatchSampler

from training.dataset import PairDataset
from training.splits import Split


@dataclass
class _Batch:
    """Rows, the playlists they are of, and the playlists that their songs are known to belong to."""

    rows: list[int] = field(default_factory=list)
    playlists: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)

    def takes(self, playlist: str, holders: frozenset[str]) -> bool:
        """Whether a pair would be a true negative of every pair here, and they of it."""
        return playlist not in self.holders and self.playlists.isdisjoint(holders)

    def add(self, row: int, playlist: str, holders: frozenset[str]) -> None:
        """Take a pair in."""
        self.rows.append(row)
        self.playlists.add(playlist)
        self.holders |= holders


class BatchPlan:
    """How the training pairs of a dataset are dealt into batches, anew in every epoch.

    Batches are of about equal size: where playlists are few, each holds a pair of most of them. Every epoch has as many
    batches as the first; a pair that fits in none of an epoch's batches waits for the next epoch.
    """

    def __init__(self, dataset: PairDataset, batch_size: int, seed: int) -> None:
        pairs = dataset.select(Split.TRAIN)
        known: dict[str, set[str]] = defaultdict(set)
        for pair in dataset.pairs:
            known[dataset.clusters[pair.song_id]].add(pair.playlist_id)
        self._holders = [frozenset(known[dataset.clusters[pair.song_id]]) for pair in pairs]
        self._playlists = [pair.playlist_id for pair in pairs]
        self._batch_size = batch_size
        self._seed = seed
        self.length = len(self._deal(0))

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of an epoch as row numbers of the training pairs."""
        batches = self._deal(number)
        while len(batches) < self.length:
            largest = max(batches, key=len)
            batches.append(largest[::2])
            largest[:] = largest[1::2]
        return batches[: self.length]

    def _deal(self, number: int) -> list[list[int]]:
        chance = random.Random(f"{self._seed}:{number}")  # noqa: S311 - reproducible, not secret
        by_playlist: dict[str, list[int]] = defaultdict(list)
        for row, playlist in enumerate(self._playlists):
            by_playlist[playlist].append(row)
        most = max((len(rows) for rows in by_playlist.values()), default=0)
        batches = [_Batch() for _ in range(max(most, -(-len(self._playlists) // self._batch_size)))]
        position = 0
        # The largest playlists first: they need the most batches that do not hold them yet.
        for playlist in sorted(by_playlist, key=lambda each: (-len(by_playlist[each]), chance.random())):
            for row in chance.sample(by_playlist[playlist], len(by_playlist[playlist])):
                position = self._place(row, batches, position)
        chance.shuffle(batches)
        # Small batches last: they are what is left over, and what goes if an epoch comes out longer than the first.
        batches.sort(key=lambda each: len(each.rows) <= 1)
        return [each.rows for each in batches if each.rows]

    def _place(self, row: int, batches: list[_Batch], position: int) -> int:
        """Put a pair into the next batch, round and round, that takes it; return where to look for the pair after."""
        playlist, holders = self._playlists[row], self._holders[row]
        for step in range(len(batches)):
            here = (position + step) % len(batches)
            batch = batches[here]
            if len(batch.rows) < self._batch_size and batch.takes(playlist, holders):
                batch.add(row, playlist, holders)
                return here + 1
        batches.append(_Batch())
        batches[-1].add(row, playlist, holders)
        return position


class PlannedBatchSampler(DefaultBatchSampler):
    """Gives the trainer the batches of a plan."""

    def __init__(self, dataset: datasets.Dataset, plan: BatchPlan, *, batch_size: int, seed: int) -> None:
        super().__init__(dataset, batch_size=batch_size, drop_last=False, seed=seed)
        self._plan = plan

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of the present epoch."""
        return iter(self._plan.epoch(self.epoch))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._plan.length
