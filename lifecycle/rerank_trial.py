"""Whether a new version's reranker pays: what it gains on the development songs beside what it costs."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lifecycle.evaluation import Regime
from registry.texts import render_playlist, render_song
from registry.versions import MatchSpec, RerankerSpec
from serving.matching.reranking import RERANKED
from training.metrics import Relevance, Scores, evaluate_ranking, query_metrics

WEIGHTS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Of a logit beside the score; the least that is best is taken."""

_SONGS = 200
_FRONT = 1_000.0
"""Keeps what was read ahead of what was not."""


@dataclass(frozen=True)
class RerankTrial:
    """How much a logit counts beside the score, 0 if it gains less than a standard error, and what was measured."""

    weight: float
    record: dict[str, Any]


def try_reranker(
    folder: Path, spec: RerankerSpec, matching: MatchSpec, regime: Regime, template: int, *, device: str | None
) -> RerankTrial:
    """Read the first twenty playlists of up to 200 songs of the development split and weigh what that tells.

    Args:
        folder: of the reranker, verified by the caller.
        regime: songs that neither the embedder nor the reranker was trained on.
        template: of the texts.
    """
    from serving.inference.reranker import Reranker  # takes seconds

    reranker = Reranker.open(folder, spec, device=device)
    score = regime.scores(matching)[:_SONGS]
    relevant = regime.relevant[: len(score)]
    first = np.argsort(-score, axis=1, kind="stable")[:, :RERANKED]
    told = [render_playlist(each, template) for each in regime.index.playlists]
    begun = time.perf_counter()
    logits = np.stack(
        [
            reranker.read([(told[column], render_song(song, template)) for column in row]).logits
            for song, row in zip(regime.songs, first, strict=False)
        ]
    )
    seconds = (time.perf_counter() - begun) / len(score)
    weighed = weigh_logits(score, first, logits, relevant)
    return RerankTrial(
        weighed.weight, {**weighed.record, "ms_a_song": round(seconds * 1e3, 1), "device": reranker.device}
    )


def weigh_logits(score: Scores, first: npt.NDArray[np.intp], logits: Scores, relevant: Relevance) -> RerankTrial:
    """How much logits should count beside scores, on songs whose playlists are known.

    Args:
        score: of every playlist, shape (songs, playlists); `relevant` likewise, whether it holds the song.
        first: columns of the playlists that were read, shape (songs, read); `logits` what was said of them.
    """
    before = query_metrics(score, relevant).mrr
    after = {weight: query_metrics(_reranked(score, first, logits, weight), relevant).mrr for weight in WEIGHTS}
    best = max(after, key=lambda weight: (after[weight].mean(), -weight))
    gain = after[best] - before
    gains = bool(gain.mean() > gain.std() / np.sqrt(len(gain)))
    record = {
        "n": len(score),
        "taken": gains,
        "weight": best,
        "mrr_before": round(float(before.mean()), 4),
        "mrr_after": round(float(after[best].mean()), 4),
        "mrr_alone": round(evaluate_ranking(_reranked(score * 0, first, logits, 1.0), relevant).mrr, 4),
    }
    return RerankTrial(best if gains else 0.0, record)


def _reranked(score: Scores, first: npt.NDArray[np.intp], logits: Scores, weight: float) -> Scores:
    """The scores with those of the first playlists moved to the front, in the order of score and logit together."""
    moved = score.copy()
    together = np.take_along_axis(score, first, axis=1) + np.float32(weight) * logits
    np.put_along_axis(moved, first, (_FRONT + together).astype(np.float32), axis=1)
    return moved
