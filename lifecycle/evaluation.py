"""How well songs reach the playlists that hold them, by the full matching of a version.

Regimes are reported apart: songs that were not trained on, ranked among the playlists the version knows; and playlists
that were not trained on, known by their text alone and ranked among themselves.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lifecycle.compute.far_dataset import encode_where_it_pays
from lifecycle.compute.metering import Spend
from lifecycle.dataset_vectors import EncodedDataset, encode_dataset, tell_emotions, training_profiles
from lifecycle.homeless import homeless_report
from lifecycle.outcomes import Outcomes, RegimeOutcomes
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import versions
from registry.errors import NotFound
from registry.records import Song
from registry.versions import EmotionsSpec, MatchSpec, ModelVersion
from serving.matching.index import PlaylistIndex
from serving.matching.scoring import combined, scaled_signals
from serving.matching.signals.asked import AskedSongs
from serving.matching.signals.names import TIERS
from training.audit import audit
from training.baselines import Baselines
from training.dataset import PairDataset, relevance
from training.general_similarity import general_similarity
from training.metrics import Relevance, Scores, evaluate_ranking, query_metrics
from training.queries import Query, cluster_queries
from training.scoring import text_and_centroid
from training.splits import REGIMES, UNSEEN_PLAYLISTS, Split
from training.statistics import MINIMUM_QUERIES, clustered_interval

Matrix = npt.NDArray[np.float32]
Report = dict[str, Any]

_UNKNOWN_GENRE = "unknown"
_CONFUSIONS = 10
_NOT_THERE = -100.0
"""Below every signal: what a playlist is ranked by that does not have the one it is asked for."""


@dataclass(frozen=True)
class Regime:
    """Songs to be matched, the playlists they are ranked among, and which of those hold them."""

    name: str
    asked: AskedSongs
    index: PlaylistIndex
    relevant: Relevance

    @property
    def songs(self) -> Sequence[Song]:
        return self.asked.songs

    @property
    def vectors(self) -> Matrix:
        return self.asked.vectors

    def scores(self, spec: MatchSpec) -> Scores:
        """By full matching, shape (songs, playlists)."""
        return combined(scaled_signals(self.asked, self.index, spec), self.songs, self.index, spec).score


def evaluate_version(
    workspace: Workspace,
    name: str,
    progress: Progress,
    *,
    dataset: str | None = None,
    vectors: EncodedDataset | None = None,
    spend: Spend | None = None,
) -> Report:
    """Evaluate a version on a dataset's test split, by default that of its own, and keep the report.

    Args:
        dataset: fingerprint; by default that of the version's own training, or of the live version's.
        vectors: the version's of that dataset, if they are known already.
        spend: told what other machines worked for, if they may be asked.

    Raises:
        NotFound: there is no such version, or the dataset is not on this machine.
    """
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
        fingerprint = dataset or dataset_of(version, versions.list_all(connection))
        known = versions.find_evaluation(connection, name, fingerprint)
        # An older release kept no outcomes: such an evaluation is made again.
        compared = versions.find_outcomes(connection, name, fingerprint)
    if known is not None and compared is not None:
        return known
    pairs = PairDataset.load(workspace.datasets, fingerprint)
    vectors = vectors or _encoded(workspace, version, pairs, progress, spend)
    vectors = with_emotions(workspace, version.spec.matched_emotions, pairs, vectors, progress)
    regimes = dataset_regimes(version.spec.matching, pairs, vectors)
    report = build_report(name, version.spec.matching, regimes)
    for regime, figures in baseline_figures(workspace.datasets, pairs, progress).items():
        report["regimes"][regime]["baselines"] = figures
    report["general_similarity"] = general_similarity(workspace.load_encoder(version.spec.embedder).songs).as_json()
    report["audit"] = audit(pairs).as_json()
    outcomes = outcomes_of(version.spec.matching, regimes)
    with workspace.database.transaction() as connection:
        versions.save_evaluation(connection, name, fingerprint, report, outcomes.as_json())
    return report


def _encoded(
    workspace: Workspace, version: ModelVersion, dataset: PairDataset, progress: Progress, spend: Spend | None
) -> EncodedDataset:
    spec, label = version.spec, f"Encoding the test for {version.version}"
    if spend is None:
        encoder = workspace.load_encoder(spec.embedder)
        return encode_dataset(encoder, dataset, progress, label=label, template=spec.text_template)
    return encode_where_it_pays(
        workspace,
        spec.embedder,
        dataset,
        progress,
        label=label,
        template=spec.text_template,
        published=spec.training is None,
        spend=spend,
    )


def with_emotions(
    workspace: Workspace, model: EmotionsSpec | None, dataset: PairDataset, vectors: EncodedDataset, progress: Progress
) -> EncodedDataset:
    """A dataset's vectors with the songs' emotions beside them, for a version that matches by such a model."""
    if model is None or vectors.emotions is not None:
        return vectors
    return replace(vectors, emotions=tell_emotions(workspace.load_emotions(model), dataset.songs.values(), progress))


def dataset_regimes(
    spec: MatchSpec, dataset: PairDataset, vectors: EncodedDataset, splits: Sequence[Split] = REGIMES
) -> list[Regime]:
    """The regimes of a dataset's splits that hold a query, by default the test's, from a model's vectors of it."""
    regimes = [_dataset_regime(split, spec, dataset, vectors) for split in splits]
    return [regime for regime in regimes if len(regime.songs)]


def outcomes_of(spec: MatchSpec, regimes: Sequence[Regime]) -> Outcomes:
    """What came of each query."""
    return Outcomes(
        {
            each.name: RegimeOutcomes.of(
                [song.song_id for song in each.songs],
                _groups(each),
                _genres(each),
                query_metrics(each.scores(spec), each.relevant),
            )
            for each in regimes
        }
    )


def build_report(name: str, spec: MatchSpec, regimes: Sequence[Regime]) -> Report:
    """The report over regimes: overall (every query among its own regime's playlists), by regime, signal and genre."""
    outcomes = outcomes_of(spec, regimes)
    pooled = outcomes.pooled()
    genres = {genre: [row for row, each in enumerate(pooled.genres) if each == genre] for genre in set(pooled.genres)}
    return {
        "version": name,
        **_figures(pooled),
        "regimes": {
            each.name: {
                **_figures(outcomes.regimes[each.name]),
                "candidates": len(each.index.playlists),
                **_by_signal(each, spec),
                "embedding": evaluate_ranking(embedding_scores(each), each.relevant).as_json(),
            }
            for each in regimes
        },
        "genres": {genre: _figures(pooled.take(rows)) for genre, rows in sorted(genres.items())},
        "types": {kind: _figures(pooled.take(rows)) for kind, rows in sorted(_by_type(regimes).items())},
        "confusions": confusions(spec, regimes),
        **_homeless(spec, regimes),
    }


def _homeless(spec: MatchSpec, regimes: Sequence[Regime]) -> dict[str, Any]:
    """How well songs that belong nowhere are recognised, among the playlists that the version knows."""
    known = next((each for each in regimes if each.name == Split.UNSEEN_SONG.value), None)
    report = homeless_report(spec, known) if known else None
    return {"none_fits": report} if report else {}


def _figures(outcomes: RegimeOutcomes) -> dict[str, Any]:
    """Means over the queries, each with its 95 % interval, the queries of a playlist resampled together."""
    queries = len(outcomes.songs)
    means = {name: round(float(np.mean(values)), 4) if queries else 0.0 for name, values in outcomes.values.items()}
    intervals = {
        name: clustered_interval(values, list(outcomes.groups), seed=0)
        for name, values in outcomes.values.items()
        if queries
    }
    return {
        "n": queries,
        **means,
        "sufficient": queries >= MINIMUM_QUERIES,
        "intervals": {name: [round(each.low, 4), round(each.high, 4)] for name, each in intervals.items()},
    }


def confusions(spec: MatchSpec, regimes: Sequence[Regime]) -> list[dict[str, Any]]:
    """The ten worst confusions: songs of one playlist that were answered with another, most often first."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in regimes:
        names = [playlist.name for playlist in each.index.playlists]
        first = each.scores(spec).argmax(axis=1)
        right = each.relevant.argmax(axis=1)
        for row, song in enumerate(each.songs):
            if not each.relevant[row, first[row]]:
                found[each.name, names[int(right[row])], names[int(first[row])]].append(song.title)
    worst = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:_CONFUSIONS]
    return [
        {"regime": regime, "belongs": belongs, "answered": answered, "count": len(titles), "songs": titles[:3]}
        for (regime, belongs, answered), titles in worst
    ]


def baseline_figures(folder: Path, dataset: PairDataset, progress: Progress) -> dict[str, dict[str, Any]]:
    """What the simple methods reach, by regime and method; kept beside the dataset, as no version changes it."""
    kept = folder / f"{dataset.fingerprint}.baselines.json"
    if kept.is_file():
        with suppress(ValueError):
            return dict(json.loads(kept.read_text()))
    with progress.task("Fitting the baselines", 1) as advance:
        figures = _baseline_figures(Baselines.fit(dataset), dataset)
        advance(1, 1)
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(figures))
    return figures


def _baseline_figures(baselines: Baselines, dataset: PairDataset) -> dict[str, dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = {}
    for split in REGIMES:
        queries, playlists = cluster_queries(dataset, split), _candidates(split, dataset)
        songs = [query.song_id for query in queries]
        if songs:
            relevant = _relevance(queries, playlists)
            scores = baselines.scores(split, songs, playlists)
            figures[split.value] = {name: evaluate_ranking(each, relevant).as_json() for name, each in scores.items()}
    return figures


def dataset_of(version: ModelVersion, known: Sequence[ModelVersion]) -> str:
    """The fingerprint of the version's own dataset; for a base model, of the latest that any version was trained on.

    Raises:
        NotFound: nothing was trained yet.
    """
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
    queries, playlists = cluster_queries(dataset, split), _candidates(split, dataset)
    asked = vectors.asked([dataset.songs[query.song_id] for query in queries])
    index = PlaylistIndex.build(training_profiles(dataset, vectors, playlists), spec, vectors.dimensions)
    return Regime(split.value, asked, index, _relevance(queries, playlists))


def _candidates(split: Split, dataset: PairDataset) -> list[str]:
    """What a regime's songs are ranked among: held-out playlists by themselves, or those that are trained on."""
    known = (Split.TRAIN, Split.DEVELOPMENT, Split.UNSEEN_SONG, Split.LATER)
    held_out = (UNSEEN_PLAYLISTS, (Split.DEVELOPMENT_PLAYLIST,))
    among = next((each for each in held_out if split in each), known)
    return sorted({pair.playlist_id for pair in dataset.pairs if pair.split in among})


def _relevance(queries: Sequence[Query], playlist_ids: Sequence[str]) -> Relevance:
    holding = [(query.song_id, playlist_id) for query in queries for playlist_id in query.playlist_ids]
    return relevance(holding, [query.song_id for query in queries], playlist_ids)


def _by_signal(regime: Regime, spec: MatchSpec) -> dict[str, dict[str, dict[str, float]]]:
    """What each signal is worth by itself, and what is left without it or its tier, of those that the regime has."""
    scaled = scaled_signals(regime.asked, regime.index, spec)
    there = {name: each for name, each in scaled.items() if not np.isnan(each).all()}

    def without(*signals: str) -> dict[str, float]:
        others = {name: each for name, each in there.items() if name not in signals}
        return evaluate_ranking(combined(others, regime.songs, regime.index, spec).score, regime.relevant).as_json()

    return {
        "signals": {
            name: evaluate_ranking(np.nan_to_num(each, nan=_NOT_THERE), regime.relevant).as_json()
            for name, each in there.items()
        },
        "without": {name: without(name) for name in there},
        "without_tiers": {tier: without(*names) for tier, names in TIERS.items() if there.keys() & set(names)},
    }


def embedding_scores(regime: Regime) -> Scores:
    """What the embedding alone says, shape (songs, playlists): text and centroid, or text where no songs are known."""
    return text_and_centroid(regime.vectors, regime.index.texts, regime.index.centroids)


def _by_type(regimes: Sequence[Regime]) -> dict[str, list[int]]:
    """By the type of the first playlist that holds the song, which of all regimes' queries they are."""
    rows: dict[str, list[int]] = defaultdict(list)
    first = [regime.index.types[int(column)].name for regime in regimes for column in regime.relevant.argmax(axis=1)]
    for row, kind in enumerate(first):
        rows[kind].append(row)
    return rows


def _groups(regime: Regime) -> list[str]:
    """The first playlist that holds each query's song: queries that share it depend on one another."""
    return [regime.index.playlists[int(column)].playlist_id for column in regime.relevant.argmax(axis=1)]


def _genres(regime: Regime) -> list[str]:
    """The genre of each song's query: that of the first playlist which holds it."""
    first = regime.relevant.argmax(axis=1)
    return [regime.index.playlists[int(column)].genre or _UNKNOWN_GENRE for column in first]
