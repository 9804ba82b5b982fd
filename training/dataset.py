"""Datasets: immutable, fingerprinted folders of songs, playlists and the pairs between them, with their splits."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from registry.errors import BadInput, NotFound
from registry.records import CatalogueSnapshot, Playlist, Song
from registry.texts import CURRENT_TEMPLATE, render_playlist, render_song
from training.audit import audit, require_clean
from training.clusters import cluster_songs
from training.folders import MANIFEST, Rows, digest_tables, make_table, read_rows, write_folder
from training.pairs import KnownPairs, Pair, known_pairs
from training.splits import Split, combined, later_clusters, sides, weighing
from training.weights import training_weights

FORMAT = 3
"""Of the dataset itself: part of the fingerprint, so that a change of the rules makes a new dataset."""

MINIMUM_PAIRS = 40
MINIMUM_PLAYLISTS = 4

_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)
"""What json, pydantic, Arrow and datasets raise on files that are not as they were written."""

_REBUILD = "Delete the folder and run `autosort retrain` to build it again."

_COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "songs": {"song_id": pa.string(), "cluster": pa.string(), "record": pa.string()},
    "playlists": {"playlist_id": pa.string(), "record": pa.string()},
    "pairs": {
        "playlist_id": pa.string(),
        "song_id": pa.string(),
        "source": pa.string(),
        "split": pa.string(),
        "weight": pa.float64(),
    },
    "rejections": {"playlist_id": pa.string(), "song_id": pa.string()},
}


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A pair, its source and what it is for.

    Attributes:
        weight: how much it counts in training, in [0, 1]; 0 is a known positive that is never trained on, because its
            source is too weak or there are too many of its kind.
    """

    playlist_id: str
    song_id: str
    source: str
    split: Split
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """A song of which a user said that it does not belong to a playlist: a hard negative, never a positive."""

    playlist_id: str
    song_id: str


@dataclass(frozen=True)
class PairDataset:
    """What a model is trained and tested on.

    Attributes:
        template: version of the text template.
        songs: those that occur in a pair or a rejection, by id.
        clusters: of each song id, its cluster of near-duplicates.
        playlists: those that occur in a pair or a rejection, by id.
        pairs: by ids; every pair has one split, every cluster one side.
        rejections: by ids; none is of a song that its playlist holds a near-duplicate of.
        salt: of the hash that deals the sides.
    """

    template: int
    songs: dict[str, Song]
    clusters: dict[str, str]
    playlists: dict[str, Playlist]
    pairs: tuple[LabelledPair, ...]
    rejections: tuple[Rejection, ...] = ()
    salt: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything in it: equal inputs give equal fingerprints."""
        return digest_tables(self._header(), self._tables())

    def select(self, split: Split) -> list[LabelledPair]:
        """The pairs of one split."""
        return [pair for pair in self.pairs if pair.split is split]

    @cached_property
    def weighing(self) -> frozenset[str]:
        """Songs of training pairs that no embedding is trained on: the weights of signals are learned from them."""
        pairs = self.select(Split.TRAIN)
        chosen = weighing((self.clusters[pair.song_id] for pair in pairs), self.salt)
        return frozenset(pair.song_id for pair in pairs if self.clusters[pair.song_id] in chosen)

    def trained_on(self) -> list[LabelledPair]:
        """The pairs that an embedding is trained on."""
        return [pair for pair in self.select(Split.TRAIN) if pair.weight > 0 and pair.song_id not in self.weighing]

    def counts(self) -> dict[str, int]:
        """Number of pairs by split."""
        return {split.value: count for split, count in sorted(Counter(pair.split for pair in self.pairs).items())}

    def song_text(self, song_id: str) -> str:
        """A song's text as the model sees it."""
        return render_song(self.songs[song_id], self.template)

    def playlist_text(self, playlist_id: str) -> str:
        """A playlist's text as the model sees it, without the instruction."""
        return render_playlist(self.playlists[playlist_id], self.template)

    def save(self, folder: Path) -> Path:
        """Write it as Arrow tables to `folder/<fingerprint>`, whole or not at all; return that folder."""
        target = folder / self.fingerprint
        if not target.is_dir():
            write_folder(target, self.fingerprint, self._tables(), {**self._header(), "pairs": self.counts()})
        return target

    @classmethod
    def load(cls, folder: Path, fingerprint: str) -> "PairDataset":
        """Read a dataset and check that it is the one the fingerprint names.

        Raises:
            NotFound: it is not there.
            BadInput: it cannot be read, or its content is not what was fingerprinted.
        """
        source = folder / fingerprint
        if not source.is_dir():
            raise NotFound(
                f"The dataset {fingerprint[:12]} is not in {folder}.", "Copy it there from the machine that built it."
            )
        try:
            manifest = json.loads((source / MANIFEST).read_text())
            if manifest["format"] != FORMAT:
                raise BadInput(f"The dataset in {source} has format {manifest['format']}, not {FORMAT}.", _REBUILD)
            dataset = cls._from_tables(manifest["template"], manifest["salt"], source)
            found = dataset.fingerprint
        except _DAMAGE as error:
            raise BadInput(f"The dataset in {source} is damaged: {type(error).__name__}.", _REBUILD) from error
        if found != fingerprint:
            raise BadInput(f"The dataset in {source} was changed: its fingerprint is {found[:12]}.", _REBUILD)
        return dataset

    @classmethod
    def _from_tables(cls, template: int, salt: str, source: Path) -> "PairDataset":
        songs, playlists, pairs, rejections = (read_rows(source, table, list(_COLUMNS[table])) for table in _COLUMNS)
        clusters: dict[str, str] = {}
        by_id: dict[str, Song] = {}
        for song_id, cluster, record in songs:
            clusters[song_id], by_id[song_id] = cluster, Song.model_validate_json(record)
        return cls(
            template=template,
            songs=by_id,
            clusters=clusters,
            playlists={playlist_id: Playlist.model_validate_json(record) for playlist_id, record in playlists},
            pairs=tuple(LabelledPair(p, s, source, Split(split), weight) for p, s, source, split, weight in pairs),
            rejections=tuple(Rejection(*ids) for ids in rejections),
            salt=salt,
        )

    def _header(self) -> dict[str, Any]:
        return {"format": FORMAT, "template": self.template, "salt": self.salt}

    def _tables(self) -> dict[str, pa.Table]:
        rows: dict[str, Rows] = {
            "songs": ((key, self.clusters[key], _record(song)) for key, song in self.songs.items()),
            "playlists": ((key, _record(playlist)) for key, playlist in self.playlists.items()),
            "pairs": ((p.playlist_id, p.song_id, p.source, p.split.value, p.weight) for p in self.pairs),
            "rejections": ((each.playlist_id, each.song_id) for each in self.rejections),
        }
        return {name: make_table(_COLUMNS[name], rows[name]) for name in _COLUMNS}


def _record(record: Song | Playlist) -> str:
    return record.model_dump_json(exclude_none=True)


def build_dataset(snapshot: CatalogueSnapshot, template: int = CURRENT_TEMPLATE, *, salt: str = "") -> PairDataset:
    """Build the dataset of a catalogue: pairs, clusters of near-duplicates, splits, weights.

    Args:
        salt: another one deals songs and playlists to other sides, for cross-fitting.

    Raises:
        BadInput: there are too few pairs or playlists to learn from and to test on, or something that is tested on
            would be trained on.
    """
    known = known_pairs(snapshot)
    clusters = cluster_songs(snapshot.songs, lambda song: render_song(song, template))
    splits = _splits(known.positives, clusters, salt)
    dataset = _assemble(snapshot, template, known, clusters, splits, salt=salt)
    check_enough(dataset)
    require_clean(audit(dataset))
    return dataset


def unsplit_dataset(snapshot: CatalogueSnapshot, template: int = CURRENT_TEMPLATE) -> PairDataset:
    """All pairs of a catalogue as training pairs: what a model that is not trained may look at."""
    known = known_pairs(snapshot)
    clusters = cluster_songs(snapshot.songs, lambda song: render_song(song, template))
    return _assemble(snapshot, template, known, clusters, [Split.TRAIN] * len(known.positives))


def _splits(pairs: Sequence[Pair], clusters: Mapping[str, str], salt: str) -> list[Split]:
    """What each pair is for; needs all pairs, as the newest songs are found by comparison."""
    songs, playlists = sides(clusters.values(), {pair.playlist_id: None for pair in pairs}, salt)
    later = _later(pairs, clusters, songs, playlists)
    return [
        combined(playlists[pair.playlist_id], songs[cluster], later=cluster in later)
        for pair, cluster in ((pair, clusters[pair.song_id]) for pair in pairs)
    ]


def _later(
    pairs: Sequence[Pair], clusters: Mapping[str, str], songs: Mapping[str, Split], playlists: Mapping[str, Split]
) -> frozenset[str]:
    """The newest of the clusters that would be trained on."""
    first: dict[str, float] = {}
    trained: dict[str, None] = {}
    dated = total = 0
    for pair in pairs:
        cluster = clusters[pair.song_id]
        if songs[cluster] is not Split.TRAIN:
            continue
        if playlists[pair.playlist_id] is Split.TRAIN:
            trained[cluster] = None
            total += 1
            dated += pair.added_at is not None
        if pair.added_at is not None:
            first[cluster] = min(pair.added_at, first.get(cluster, pair.added_at))
    known = {cluster: first[cluster] for cluster in trained if cluster in first}
    return later_clusters(known, share_dated=dated / max(total, 1))


def _assemble(
    snapshot: CatalogueSnapshot,
    template: int,
    known: KnownPairs,
    clusters: Mapping[str, str],
    splits: Sequence[Split],
    *,
    salt: str = "",
) -> PairDataset:
    pairs, rejections = _labelled(known.positives, clusters, splits), _rejections(known, clusters)
    songs = {each.song_id for each in pairs} | {each.song_id for each in rejections}
    playlists = {each.playlist_id for each in pairs} | {each.playlist_id for each in rejections}
    return PairDataset(
        template=template,
        songs={each.song_id: each for each in snapshot.songs if each.song_id in songs},
        clusters={each.song_id: clusters[each.song_id] for each in snapshot.songs if each.song_id in songs},
        playlists={each.playlist_id: each for each in snapshot.playlists if each.playlist_id in playlists},
        pairs=pairs,
        rejections=rejections,
        salt=salt,
    )


def _labelled(pairs: Sequence[Pair], clusters: Mapping[str, str], splits: Sequence[Split]) -> tuple[LabelledPair, ...]:
    """The pairs with what they are for; caps and tempering are about training, so they look at its pairs alone."""
    weights = np.array([pair.weight for pair in pairs])
    rows = [row for row, split in enumerate(splits) if split is Split.TRAIN]
    weights[rows] = training_weights([pairs[row] for row in rows], clusters)
    return tuple(
        LabelledPair(pair.playlist_id, pair.song_id, pair.source, split, weight)
        for pair, split, weight in zip(pairs, splits, weights.tolist(), strict=True)
    )


def _rejections(known: KnownPairs, clusters: Mapping[str, str]) -> tuple[Rejection, ...]:
    """What was rejected, but for songs of which the playlist holds a near-duplicate: of those nobody can tell."""
    rejected = {song_id for _, song_id in known.rejected}
    near = {clusters[song_id] for song_id in rejected}
    held = {(pair.playlist_id, clusters[pair.song_id]) for pair in known.positives if clusters[pair.song_id] in near}
    return tuple(Rejection(*each) for each in known.rejected if (each[0], clusters[each[1]]) not in held)


def relevance(
    holding: Iterable[tuple[str, str]], song_ids: Sequence[str], playlist_ids: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Which playlists hold which songs, shape (songs, playlists).

    Args:
        holding: (song id, playlist id); those that name neither a row nor a column are passed over.
    """
    rows = {song_id: row for row, song_id in enumerate(song_ids)}
    columns = {playlist_id: column for column, playlist_id in enumerate(playlist_ids)}
    relevant = np.zeros((len(rows), len(columns)), np.bool_)
    for song_id, playlist_id in holding:
        if song_id in rows and playlist_id in columns:
            relevant[rows[song_id], columns[playlist_id]] = True
    return relevant


def check_enough(dataset: PairDataset) -> None:
    """Raise `BadInput` unless there is something to learn from and something to test on."""
    train = [pair for pair in dataset.select(Split.TRAIN) if pair.weight > 0]
    playlists = {pair.playlist_id for pair in train}
    if len(train) < MINIMUM_PAIRS or len(playlists) < MINIMUM_PLAYLISTS or not dataset.select(Split.UNSEEN_SONG):
        raise BadInput(
            f"The catalogue gives {len(train)} pairs of {len(playlists)} playlists to train on; at least "
            f"{MINIMUM_PAIRS} of {MINIMUM_PLAYLISTS}, and some to test on, are needed.",
            "Import more playlists with `autosort import` (public ones count only with a description), then try again.",
        )
