"""What the model is shown: for every pair, in every epoch, an anchor, a song that belongs, and songs that do not."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from registry.texts import render_song
from training.configuration import TrainingConfiguration
from training.dataset import LabelledPair, PairDataset

Negatives = Mapping[str, Sequence[str]]
"""Hard negatives by playlist id: songs that look as if they belonged to it and do not."""

_TRIES = 8


@dataclass(frozen=True)
class Prompts:
    """Instructions put before the texts of playlists and songs."""

    playlist: str = ""
    song: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A song of a playlist; the anchor is the playlist's text or, if there is a sibling, that other song of it."""

    playlist_id: str
    song_id: str
    sibling_id: str | None = None
    negatives: tuple[str, ...] = ()


class ExampleSource:
    """Makes the examples of each epoch, the same ones for the same seed.

    A pair takes part in an epoch with the chance that its weight gives it. A playlist whose title says nothing is never
    an anchor: its songs stand for it, each other's siblings.
    """

    def __init__(
        self,
        dataset: PairDataset,
        configuration: TrainingConfiguration,
        *,
        negatives: Negatives | None = None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        self.holders = known_holders(dataset)
        self._dataset = dataset
        self._configuration = configuration
        self._negatives = negatives or {}
        self._wanted = max(configuration.hard_negatives, 1 if self._negatives else 0)
        self._silent = silent
        self._pairs = dataset.trained_on()
        self._songs: dict[str, list[str]] = defaultdict(list)
        for pair in self._pairs:
            self._songs[pair.playlist_id].append(pair.song_id)

    def epoch(self, number: int) -> list[Example]:
        """The examples of an epoch, in no order that means anything."""
        chance = random.Random(f"examples:{self._configuration.seed}:{number}")  # noqa: S311 - reproducible, not secret
        drawn = [pair for pair in self._pairs if chance.random() < pair.weight]
        made = (self._example(pair, chance) for pair in drawn)
        return [example for example in made if example is not None]

    def _example(self, pair: LabelledPair, chance: random.Random) -> Example | None:
        silent = pair.playlist_id in self._silent
        sibling = self._sibling(pair, chance) if silent or chance.random() < self._configuration.siblings else None
        if silent and sibling is None:
            return None
        standing_for = self.holders[sibling] if sibling else frozenset((pair.playlist_id,))
        negatives = self._drawn_negatives(pair.playlist_id, standing_for, chance)
        return None if negatives is None else Example(pair.playlist_id, pair.song_id, sibling, negatives)

    def _sibling(self, pair: LabelledPair, chance: random.Random) -> str | None:
        """Another song of the playlist; a few tries, as it must not be another recording of the same song."""
        cluster = self._dataset.clusters[pair.song_id]
        tries = (chance.choice(self._songs[pair.playlist_id]) for _ in range(_TRIES))
        return next((each for each in tries if self._dataset.clusters[each] != cluster), None)

    def _drawn_negatives(
        self, playlist_id: str, standing_for: frozenset[str], chance: random.Random
    ) -> tuple[str, ...] | None:
        """As many negatives as every example has; none if there are not that many."""
        known = self._true_negatives(self._negatives.get(playlist_id, ()), standing_for)
        chosen = chance.sample(known, min(self._wanted, len(known)))
        # Where too few are known, any songs of other playlists.
        tries = (chance.choice(self._pairs).song_id for _ in range(_TRIES * self._wanted))
        others = (each for each in tries if not standing_for & self.holders[each])
        chosen += islice(others, self._wanted - len(chosen))
        return tuple(chosen) if len(chosen) == self._wanted else None

    def _true_negatives(self, songs: Iterable[str], standing_for: frozenset[str]) -> list[str]:
        return [each for each in songs if not standing_for & self.holders[each]]


def known_holders(dataset: PairDataset) -> dict[str, frozenset[str]]:
    """By song id, every playlist known to hold it or a near-duplicate of it, whatever the pair's split or weight."""
    by_cluster: dict[str, set[str]] = defaultdict(set)
    for pair in dataset.pairs:
        by_cluster[dataset.clusters[pair.song_id]].add(pair.playlist_id)
    frozen = {cluster: frozenset(playlists) for cluster, playlists in by_cluster.items()}
    return {song_id: frozen.get(cluster, frozenset()) for song_id, cluster in dataset.clusters.items()}


class ExampleTexts:
    """Examples as the texts that the model reads, prompts included.

    The prompts are in the texts because a row's anchor may be a playlist or a song, which the trainer cannot know.
    """

    def __init__(self, dataset: PairDataset, prompts: Prompts, configuration: TrainingConfiguration) -> None:
        self._dataset = dataset
        self._prompts = prompts
        self._dropout = configuration.field_dropout
        self._chance = random.Random(f"texts:{configuration.seed}")  # noqa: S311 - reproducible, not secret

    def columns(self, examples: Iterable[Example]) -> dict[str, list[str]]:
        """The columns "anchor", "positive" and, if there are negatives, "negative_1" and so on."""
        columns: dict[str, list[str]] = defaultdict(list)
        for example in examples:
            columns["anchor"].append(self._anchor(example))
            columns["positive"].append(self._song(example.song_id))
            for number, song_id in enumerate(example.negatives, 1):
                columns[f"negative_{number}"].append(self._song(song_id))
        return dict(columns)

    def _anchor(self, example: Example) -> str:
        if example.sibling_id is not None:
            return self._song(example.sibling_id)
        return self._prompts.playlist + self._dataset.playlist_text(example.playlist_id)

    def _song(self, song_id: str) -> str:
        song = self._dataset.songs[song_id]
        left_out = {name: None for name in _DROPPED if self._dropout and self._chance.random() < self._dropout}
        shown = song.model_copy(update=left_out) if left_out else song
        return self._prompts.song + render_song(shown, self._dataset.template)


_DROPPED = ("artist", "album", "genre", "description")
"""Fields that a text may be shown without; its title and the sound of it always stay."""
