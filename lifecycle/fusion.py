"""The weights of a new version's signals: learned from songs that its model was not trained on, if that pays.

Learned are they from the weighing songs of the training split, each shown to playlists that hold none of these; taken
only where the development split ranks better by them than by the heuristics. The test split has no part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from lifecycle.calibration import calibrated_matching, emotion_scales, training_sample
from lifecycle.dataset_vectors import EncodedDataset, training_profiles
from lifecycle.evaluation import Regime, dataset_regimes
from lifecycle.homeless import home_and_away
from registry.errors import BadInput
from registry.vectors.records import StoredProfile
from registry.versions import Belonging, LearnedWeights, MatchSpec
from serving.matching.calibration import calibrate, measure_features, measure_sounds, uncalibrated
from serving.matching.index import PlaylistIndex
from serving.matching.playlist_types import DEFAULT_TYPE
from serving.matching.scoring import MEANING_PARTS, SOUND, scaled_signals
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.matching.signals.names import PAYING_SIGNALS, SIGNALS
from training.belonging import learn_rule, threshold_that_keeps
from training.dataset import PairDataset, relevance
from training.fusion import Choices, fit_weights
from training.metrics import Relevance, evaluate_ranking
from training.queries import Query, cluster_queries
from training.splits import DEVELOPMENT_REGIMES, Split

BY_TEXT = ("text", "lexical")
"""What a playlist that is known by its text alone can be matched by."""

TYPE_INFLUENCES = (0.0, 0.5, 1.0)

_SPREAD = 1.3
"""Standard deviation of weights around the heuristics', in logits; between 0.7 and 2 it hardly matters."""
_QUERIES = 1_000
_PLAYLISTS = 500
_SHOWN_BY_TEXT = 0.25
"""Of the playlists, those that are shown by their text alone in order to learn what such a one is worth."""


@dataclass(frozen=True)
class Fusion:
    """How a version matches, and how that was decided.

    Attributes:
        record: songs learned from, and the MRR over the development regimes by the heuristics and by the learned
            weights at each influence of the type.
    """

    matching: MatchSpec
    record: dict[str, Any]


def chosen_signals(named: Sequence[str]) -> tuple[str, ...]:
    """The signals that a version is to match by, in their usual order; where none is named, all that pay.

    Raises:
        BadInput: one is unknown or named twice, or the playlists' texts are not among them.
    """
    wrong = sorted({name for name in named if name not in SIGNALS or named.count(name) > 1})
    if wrong:
        raise BadInput(f"signals: {', '.join(wrong)[:80]} is unknown or named twice.", f"Known: {', '.join(SIGNALS)}.")
    if named and "text" not in named:
        raise BadInput("signals: text is not among them.", "Add it: a playlist without songs is known by nothing else.")
    return tuple(name for name in SIGNALS if name in (named or PAYING_SIGNALS))


def fuse(dataset: PairDataset, vectors: EncodedDataset, signals: Sequence[str] = PAYING_SIGNALS) -> Fusion:
    """Scales and weights of a version, from its model's vectors of the dataset it was trained on.

    Args:
        signals: those that it may match by; with emotions among them, the vectors must carry the songs'.
    """
    lesson = _Lesson.of(dataset, vectors, signals)
    regimes = dataset_regimes(lesson.spec, dataset, vectors, DEVELOPMENT_REGIMES)
    heuristic = _development_mrr(lesson.spec, regimes)
    weights = lesson.learned()
    tried = {
        influence: lesson.spec.model_copy(update={"learned": weights.model_copy(update={"type_influence": influence})})
        for influence in TYPE_INFLUENCES
    }
    found = {influence: _development_mrr(spec, regimes) for influence, spec in tried.items()}
    best = max(found, key=lambda influence: (found[influence], -influence))
    taken = found[best] > heuristic
    matching = tried[best] if taken else lesson.spec
    return Fusion(
        matching=matching.model_copy(update={"belonging": _belonging(matching, lesson, regimes)}),
        record={
            "songs": len(lesson.queries),
            "taken": taken,
            "heuristic_mrr": round(heuristic, 4),
            "learned_mrr": {str(influence): round(value, 4) for influence, value in found.items()},
        },
    )


def _belonging(spec: MatchSpec, lesson: "_Lesson", regimes: Sequence[Regime]) -> Belonging | None:
    """When no playlist fits, learned from the weighing songs and those of the development split."""
    index = PlaylistIndex.build(lesson.profiles, spec, lesson.dimensions)
    weighed = Regime("weighing", lesson.asked, index, lesson.relevant)
    development = [each for each in regimes if each.name == Split.DEVELOPMENT.value]
    found = [home_and_away(spec, each) for each in (weighed, *development)]
    at_home, away = (
        {name: np.concatenate([each[side][name] for each in found]) for name in found[0][side]} for side in (0, 1)
    )
    rule = learn_rule(at_home, away)
    if rule is None:
        return None
    threshold = threshold_that_keeps(rule.chances(found[-1][0]))
    return Belonging(weights=rule.weights, offset=rule.offset, threshold=round(threshold, 6))


@dataclass(frozen=True)
class _Lesson:
    """The weighing songs and the playlists as they are without them.

    Attributes:
        spec: the heuristics with every signal on its scale.
        relevant: shape (queries, playlists).
    """

    spec: MatchSpec
    queries: Sequence[Query]
    asked: AskedSongs
    profiles: Sequence[StoredProfile]
    relevant: Relevance
    dimensions: int

    @classmethod
    def of(cls, dataset: PairDataset, vectors: EncodedDataset, signals: Sequence[str]) -> "_Lesson":
        every = cluster_queries(dataset, Split.TRAIN)
        queries = _drawn([each for each in every if each.song_id in dataset.weighing], _QUERIES)
        needed = {each for query in queries for each in query.playlist_ids}
        others = sorted({pair.playlist_id for pair in dataset.select(Split.TRAIN)} - needed, key=_order)
        playlists = sorted([*needed, *others[: max(0, _PLAYLISTS - len(needed))]])
        profiles = training_profiles(dataset, vectors, playlists, without=dataset.weighing)
        asked = vectors.asked([dataset.songs[each.song_id] for each in queries])
        holding = [(query.song_id, each) for query in queries for each in query.playlist_ids]
        relevant = relevance(holding, [each.song_id for each in queries], playlists)
        songs = [dataset.songs[each] for each in sorted({pair.song_id for pair in dataset.select(Split.TRAIN)})]
        sounds = measure_sounds(songs, ([member.song for member in each.members] for each in profiles))
        emotions = emotion_scales(vectors, vectors.asked(songs).emotions)
        spec = uncalibrated(measure_features(songs), sounds, emotions, signals=signals, template=dataset.template)
        if queries:
            index = PlaylistIndex.build(profiles, spec, vectors.dimensions)
            spec = calibrate(asked.vectors, asked.songs, index, relevant, spec, asked.emotions)
        else:  # in a small library chance may leave none: its scales are those of training songs then
            known = calibrated_matching(training_sample(dataset), vectors, signals).signals
            spec = spec.model_copy(update={"signals": {name: known[name] for name in signals}})
        return cls(spec, queries, asked, profiles, relevant, vectors.dimensions)

    def learned(self) -> LearnedWeights:
        """The weights that these songs teach."""
        names = list(self.spec.signals)
        by_text = [name for name in BY_TEXT if name in names]
        stripped = [
            replace(each, song_count=0, members=(), centroid=None, acoustic={})
            if _share(each.playlist.playlist_id) < _SHOWN_BY_TEXT
            else each
            for each in self.profiles
        ]
        features = np.concatenate([self._features(self.profiles, by_text), self._features(stripped, by_text)])
        start = np.array([*_heuristics(self.spec, names), *(1.0 / len(by_text) for _ in by_text), 0.0])
        positive = np.array([True] * (len(start) - 1) + [False])
        choices = Choices(features, np.concatenate([self.relevant, self.relevant]))
        found = [round(float(each), 4) for each in fit_weights(choices, start, spread=_SPREAD, positive=positive)]
        told = np.asarray(features[..., : len(names)].any(axis=(0, 1))).tolist()
        return LearnedWeights(
            known={name: weight for name, weight, any_ in zip(names, found, told, strict=False) if any_},
            by_text=dict(zip(by_text, found[len(names) :], strict=False)),
            by_text_offset=found[-1],
        )

    def _features(self, profiles: Sequence[StoredProfile], by_text: Sequence[str]) -> Matrix:
        """Shape (queries, playlists, signals + those of playlists by text + 1)."""
        index = PlaylistIndex.build(profiles, self.spec, self.dimensions)
        scaled = {name: np.nan_to_num(each) for name, each in scaled_signals(self.asked, index, self.spec).items()}
        known, alone = ~index.by_text, index.by_text
        columns = [each * known for each in scaled.values()] + [scaled[name] * alone for name in by_text]
        offset = np.tile(alone.astype(np.float32), (len(self.queries), 1))
        return np.stack([*columns, offset], axis=-1).astype(np.float32)


def _heuristics(spec: MatchSpec, names: Sequence[str]) -> list[float]:
    """What the heuristics weigh signals by in a playlist of no particular type."""
    default = spec.weights[DEFAULT_TYPE]
    parts = sum(MEANING_PARTS[name] for name in names if name != SOUND)
    return [default.acoustic if name == SOUND else default.semantic * MEANING_PARTS[name] / parts for name in names]


def _development_mrr(spec: MatchSpec, regimes: Sequence[Regime]) -> float:
    """The mean over the regimes, each counting the same."""
    found: Mapping[str, float] = {each.name: evaluate_ranking(each.scores(spec), each.relevant).mrr for each in regimes}
    return float(np.mean(list(found.values()))) if found else 0.0


def _drawn(queries: Sequence[Query], size: int) -> list[Query]:
    return sorted(sorted(queries, key=lambda query: _order(query.song_id))[:size], key=lambda query: query.song_id)


def _order(key: str) -> bytes:
    """A repeatable order that means nothing."""
    return sha256(key.encode()).digest()


def _share(key: str) -> float:
    return int.from_bytes(_order(f"by text: {key}")[:4]) / 2**32
