"""Datasets: immutable, fingerprinted folders of songs, playlists and the pairs between them, with their splits."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt

from registry.errors import BadInput, NotFound
from registry.records import CatalogueSnapshot, Playlist, Song
from registry.texts import CURRENT_TEMPLATE, render_playlist, render_song
from training.clusters import cluster_songs
from training.pairs import positive_pairs
from training.splits import Split, pair_split, playlist_held_out

FORMAT = 1
"""Of the dataset itself: part of the fingerprint, so that a change of the rules makes a new dataset."""

MINIMUM_PAIRS = 40
MINIMUM_PLAYLISTS = 4

_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)
"""What json, pydantic, Arrow and datasets raise on files that are not as they were written."""

_REBUILD = "Delete the folder and run `autosort retrain` to build it again."


@dataclass(frozen=True)
class LabelledPair:
    """A pair, its source and what it is for."""

    playlist_id: str
    song_id: str
    source: str
    split: Split


@dataclass(frozen=True)
class PairDataset:
    """What a model is trained and tested on.

    Attributes:
        template: version of the text template.
        songs: those that occur in a pair, by id.
        clusters: of each song id, its cluster of near-duplicates.
        playlists: those that occur in a pair, by id.
        pairs: by ids; every pair has one split, every cluster one side.
    """

    template: int
    songs: dict[str, Song]
    clusters: dict[str, str]
    playlists: dict[str, Playlist]
    pairs: tuple[LabelledPair, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything in it: equal inputs give equal fingerprints."""
        digest = sha256(json.dumps({"format": FORMAT, "template": self.template}).encode())
        for table in (self._song_rows(), self._playlist_rows(), self._pair_rows()):
            for row in table:
                digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode())
        return digest.hexdigest()

    def select(self, split: Split) -> list[LabelledPair]:
        """The pairs of one split."""
        return [pair for pair in self.pairs if pair.split is split]

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
        if target.is_dir():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".draft-") as name:
            draft = Path(name) / "dataset"
            for table, rows in self._tables().items():
                datasets.Dataset.from_list(list(rows)).save_to_disk(draft / table)
            manifest = {"format": FORMAT, "template": self.template, "pairs": self.counts()}
            (draft / "manifest.json").write_text(json.dumps(manifest, indent=2))
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
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
            manifest = json.loads((source / "manifest.json").read_text())
            dataset = cls._from_tables(manifest["template"], source)
            found = dataset.fingerprint
        except _DAMAGE as error:
            raise BadInput(f"The dataset in {source} is damaged: {type(error).__name__}.", _REBUILD) from error
        if found != fingerprint:
            raise BadInput(f"The dataset in {source} was changed: its fingerprint is {found[:12]}.", _REBUILD)
        return dataset

    @classmethod
    def _from_tables(cls, template: int, source: Path) -> "PairDataset":
        songs, playlists, pairs = (
            datasets.load_from_disk(str(source / table)).to_list() for table in ("songs", "playlists", "pairs")
        )
        return cls(
            template=template,
            songs={row["song_id"]: Song.model_validate_json(row["record"]) for row in songs},
            clusters={row["song_id"]: row["cluster"] for row in songs},
            playlists={row["playlist_id"]: Playlist.model_validate_json(row["record"]) for row in playlists},
            pairs=tuple(LabelledPair(**{**row, "split": Split(row["split"])}) for row in pairs),
        )

    def _tables(self) -> dict[str, Iterable[dict[str, Any]]]:
        return {"songs": self._song_rows(), "playlists": self._playlist_rows(), "pairs": self._pair_rows()}

    def _song_rows(self) -> Iterable[dict[str, Any]]:
        for song_id, song in self.songs.items():
            record = song.model_dump_json(exclude_none=True)
            yield {"song_id": song_id, "cluster": self.clusters[song_id], "record": record}

    def _playlist_rows(self) -> Iterable[dict[str, Any]]:
        for playlist_id, playlist in self.playlists.items():
            yield {"playlist_id": playlist_id, "record": playlist.model_dump_json(exclude_none=True)}

    def _pair_rows(self) -> Iterable[dict[str, Any]]:
        for pair in self.pairs:
            yield {
                "playlist_id": pair.playlist_id,
                "song_id": pair.song_id,
                "source": pair.source,
                "split": pair.split.value,
            }


def build_dataset(snapshot: CatalogueSnapshot, template: int = CURRENT_TEMPLATE) -> PairDataset:
    """Build the dataset of a catalogue: pairs, clusters of near-duplicates, splits.

    Raises:
        BadInput: there are too few pairs or playlists to learn from and to test on.
    """
    dataset = _assemble(snapshot, template, pair_split)
    check_enough(dataset)
    check_no_leak(dataset)
    return dataset


def unsplit_dataset(snapshot: CatalogueSnapshot, template: int = CURRENT_TEMPLATE) -> PairDataset:
    """All pairs of a catalogue as training pairs: what a model that is not trained may look at."""
    return _assemble(snapshot, template, lambda _playlist, _cluster: Split.TRAIN)


def _assemble(snapshot: CatalogueSnapshot, template: int, split_of: Callable[[str, str], Split]) -> PairDataset:
    clusters = cluster_songs(snapshot.songs)
    pairs = tuple(
        LabelledPair(pair.playlist_id, pair.song_id, pair.source, split_of(pair.playlist_id, clusters[pair.song_id]))
        for pair in positive_pairs(snapshot)
    )
    songs = {pair.song_id for pair in pairs}
    playlists = {pair.playlist_id for pair in pairs}
    return PairDataset(
        template=template,
        songs={each.song_id: each for each in snapshot.songs if each.song_id in songs},
        clusters={song_id: cluster for song_id, cluster in clusters.items() if song_id in songs},
        playlists={each.playlist_id: each for each in snapshot.playlists if each.playlist_id in playlists},
        pairs=pairs,
    )


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
    train = dataset.select(Split.TRAIN)
    playlists = {pair.playlist_id for pair in train}
    if len(train) < MINIMUM_PAIRS or len(playlists) < MINIMUM_PLAYLISTS or not dataset.select(Split.UNSEEN_SONG):
        raise BadInput(
            f"The catalogue gives {len(train)} pairs of {len(playlists)} playlists to train on; at least "
            f"{MINIMUM_PAIRS} of {MINIMUM_PLAYLISTS}, and some to test on, are needed.",
            "Import more playlists with `autosort import`, then try again.",
        )


def check_no_leak(dataset: PairDataset) -> None:
    """Raise `BadInput` if a tested song, one of its near-duplicates, or a held-out playlist is trained on."""
    train = dataset.select(Split.TRAIN)
    trained = {dataset.clusters[pair.song_id] for pair in train}
    tested = {dataset.clusters[pair.song_id] for pair in dataset.select(Split.UNSEEN_SONG)}
    held_out = {pair.playlist_id for pair in train if playlist_held_out(pair.playlist_id)}
    if trained & tested or held_out:
        raise BadInput(
            f"{len(trained & tested)} test songs and {len(held_out)} held-out playlists are in the training split.",
            "This is a defect of the toolkit: report it with the dataset.",
        )
