"""How well songs reach the playlists that hold them, by the full matching of a version.

Regimes are reported apart: songs that were not trained on, ranked among the playlists the version knows; and playlists
that were not trained on, known by their text alone and ranked among themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lifecycle.progress import Advance, Progress
from lifecycle.workspace import Workspace
from registry import versions
from registry.errors import NotFound
from registry.records import Song
from registry.vectors import StoredProfile
from registry.versions import MatchSpec, ModelVersion
from serving.matching import SIGNALS, PlaylistIndex, features_of, match_songs
from training.dataset import PairDataset, relevance
from training.metrics import Relevance, Scores, evaluate_ranking
from training.splits import REGIMES, Split

if TYPE_CHECKING:
    from serving.encoder import Encoder

Matrix = npt.NDArray[np.float32]
Report = dict[str, Any]

_ENCODE_AT_ONCE = 256
_UNKNOWN_GENRE = "unknown"


@dataclass(frozen=True)
class Regime:
    """Songs to be matched, the playlists they are ranked among, and which of those hold them."""

    name: str
    songs: Sequence[Song]
    vectors: Matrix
    index: PlaylistIndex
    relevant: Relevance


def evaluate_version(workspace: Workspace, name: str, progress: Progress, *, dataset: str | None = None) -> Report:
    """Evaluate a version on a dataset's test split, by default that of its own, and keep the report.

    Args:
        dataset: fingerprint; by default that of the version's own training, or of the live version's.

    Raises:
        NotFound: there is no such version, or the dataset is not on this machine.
    """
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
        fingerprint = dataset or _dataset_of(version, versions.list_all(connection))
        known = versions.find_evaluation(connection, name, fingerprint)
    if known is not None:
        return known
    pairs = PairDataset.load(workspace.datasets, fingerprint)
    encoder = workspace.load_encoder(version.spec.embedder)
    vectors = encode_dataset(encoder, pairs, progress, label=f"Encoding the test for {name}")
    report = evaluate_dataset(name, version.spec.matching, pairs, vectors)
    with workspace.database.transaction() as connection:
        versions.save_evaluation(connection, name, fingerprint, report)
    return report


def evaluate_dataset(name: str, spec: MatchSpec, dataset: PairDataset, vectors: "EncodedDataset") -> Report:
    """Evaluate a model on a dataset's test split, from its vectors of the dataset."""
    regimes = [_dataset_regime(split, spec, dataset, vectors) for split in REGIMES]
    return build_report(name, spec, [regime for regime in regimes if len(regime.songs)])


def build_report(name: str, spec: MatchSpec, regimes: Sequence[Regime]) -> Report:
    """The report over regimes: overall (every query among its own regime's playlists), by regime, signal and genre."""
    scores = [match_songs(each.vectors, each.songs, each.index, spec).score for each in regimes]
    relevant = [each.relevant for each in regimes]
    genres = [_genres(each) for each in regimes]
    report: Report = {"version": name, **_pooled(scores, relevant)}
    report["regimes"] = {
        each.name: {
            **evaluate_ranking(score, each.relevant).as_json(),
            "candidates": len(each.index.playlists),
            "signals": _by_signal(each, spec),
        }
        for each, score in zip(regimes, scores, strict=True)
    }
    report["genres"] = {
        genre: _pooled(
            [score[[each == genre for each in row]] for score, row in zip(scores, genres, strict=True)],
            [truth[[each == genre for each in row]] for truth, row in zip(relevant, genres, strict=True)],
        )
        for genre in sorted({genre for row in genres for genre in row})
    }
    return report


@dataclass(frozen=True)
class EncodedDataset:
    """A dataset's songs and playlists as unit vectors of one model, by id."""

    songs: Mapping[str, Matrix]
    playlists: Mapping[str, Matrix]
    dimensions: int

    def of_songs(self, song_ids: Sequence[str]) -> Matrix:
        """Vectors of these songs, shape (n, dimensions)."""
        return np.array([self.songs[each] for each in song_ids], np.float32).reshape(-1, self.dimensions)


def encode_dataset(encoder: "Encoder", dataset: PairDataset, progress: Progress, *, label: str) -> EncodedDataset:
    """Encode every song and playlist of a dataset."""
    songs, playlists = list(dataset.songs), list(dataset.playlists)
    with progress.task(label, len(songs)) as advance:
        song_vectors = encode_texts(encoder.songs, [dataset.song_text(each) for each in songs], advance)
    playlist_vectors = encoder.playlists([dataset.playlist_text(each) for each in playlists])
    return EncodedDataset(
        dict(zip(songs, song_vectors, strict=True)),
        dict(zip(playlists, playlist_vectors, strict=True)),
        encoder.spec.dimensions,
    )


def training_profiles(
    dataset: PairDataset, vectors: EncodedDataset, playlist_ids: Sequence[str]
) -> list[StoredProfile]:
    """Playlists as their training songs alone make them: what is tested has no part in them."""
    members: dict[str, list[str]] = {}
    for pair in dataset.select(Split.TRAIN):
        members.setdefault(pair.playlist_id, []).append(pair.song_id)
    return [_profile(dataset, vectors, each, members.get(each, [])) for each in playlist_ids]


def _dataset_of(version: ModelVersion, known: Sequence[ModelVersion]) -> str:
    """The version's own dataset; for the base model, the latest that any version was trained on."""
    if version.spec.training is not None:
        return version.spec.training.dataset
    trained = [each.spec.training.dataset for each in known if each.spec.training is not None]
    if not trained:
        raise NotFound(
            f"{version.version} was not trained and there is no dataset to test it on yet.",
            "Run `autosort retrain`, or give a labelled file with --on FILE.",
        )
    return trained[-1]


def _dataset_regime(split: Split, spec: MatchSpec, dataset: PairDataset, vectors: EncodedDataset) -> Regime:
    pairs = dataset.select(split)
    songs = sorted({pair.song_id for pair in pairs})
    held_out = {pair.playlist_id for pair in dataset.select(Split.UNSEEN_PLAYLIST)}
    playlists = sorted(held_out if split is Split.UNSEEN_PLAYLIST else set(dataset.playlists) - held_out)
    index = PlaylistIndex.build(training_profiles(dataset, vectors, playlists), spec, vectors.dimensions)
    relevant = relevance([(pair.song_id, pair.playlist_id) for pair in pairs], songs, playlists)
    return Regime(split.value, [dataset.songs[each] for each in songs], vectors.of_songs(songs), index, relevant)


def _profile(dataset: PairDataset, vectors: EncodedDataset, playlist_id: str, members: Sequence[str]) -> StoredProfile:
    centroid = vectors.of_songs(members).mean(axis=0) if members else None
    features = [features_of(dataset.songs[each].audio_features) for each in members]
    names = {name for each in features for name in each}
    return StoredProfile(
        playlist=dataset.playlists[playlist_id],
        embedding=vectors.playlists[playlist_id],
        centroid=None if centroid is None else centroid / np.linalg.norm(centroid),
        song_count=len(members),
        acoustic={name: fmean(each[name] for each in features if name in each) for name in sorted(names)},
    )


def encode_texts(encode: Callable[[Sequence[str]], Matrix], texts: Sequence[str], advance: Advance) -> Matrix:
    """Encode texts page by page, so that the progress is seen."""
    pages = []
    for start in range(0, len(texts), _ENCODE_AT_ONCE):
        pages.append(encode(texts[start : start + _ENCODE_AT_ONCE]))
        advance(min(start + _ENCODE_AT_ONCE, len(texts)))
    return np.concatenate(pages)


def _by_signal(regime: Regime, spec: MatchSpec) -> dict[str, dict[str, float]]:
    """What each signal is worth by itself, of those that the regime's playlists have at all."""
    has = {
        "text": True,
        "centroid": not np.isnan(regime.index.centroids).all(),
        "acoustic": not np.isnan(regime.index.acoustics).all(),
    }
    return {
        signal: evaluate_ranking(
            match_songs(regime.vectors, regime.songs, regime.index, spec, only=signal).score, regime.relevant
        ).as_json()
        for signal in SIGNALS
        if has[signal]
    }


def _pooled(scores: Sequence[Scores], relevant: Sequence[Relevance]) -> dict[str, float]:
    """Metrics over the queries of several regimes, each ranked among its own candidates."""
    parts = [evaluate_ranking(score, truth).as_json() for score, truth in zip(scores, relevant, strict=True)]
    total = sum(part["n"] for part in parts)
    if not total:
        return evaluate_ranking(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.bool_)).as_json()
    mean = {name: sum(part[name] * part["n"] for part in parts) / total for name in parts[0] if name != "n"}
    return {"n": total, **{name: round(value, 4) for name, value in mean.items()}}


def _genres(regime: Regime) -> list[str]:
    """The genre of each song's query: that of the first playlist which holds it."""
    first = regime.relevant.argmax(axis=1)
    return [regime.index.playlists[int(column)].genre or _UNKNOWN_GENRE for column in first]
