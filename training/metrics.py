"""Ranking metrics: how high the right ones come.

Every metric is a mean over queries, in [0, 1]. Ties count against the right one, so a constant score earns nothing.
nDCG with binary relevance as in Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
"""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Relevance = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RankingMetrics:
    """Means over `n` queries."""

    n: int
    top1: float
    top5: float
    mrr: float
    recall_at_20: float
    ndcg_at_10: float

    def as_json(self) -> dict[str, float]:
        """The figures, rounded to four places."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def evaluate_ranking(scores: Scores, relevant: Relevance) -> RankingMetrics:
    """Metrics of ranking candidates by score.

    Args:
        scores: shape (queries, candidates).
        relevant: same shape; every query has at least one relevant candidate.
    """
    if len(scores) == 0:
        return RankingMetrics(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    ranks = rank_relevant(scores, relevant)
    best = np.nanmin(ranks, axis=1)
    found = relevant.sum(axis=1)
    return RankingMetrics(
        n=len(scores),
        top1=float(np.mean(best <= 1)),
        top5=float(np.mean(best <= 5)),
        mrr=float(np.mean(1 / best)),
        recall_at_20=float(np.mean((ranks <= 20).sum(axis=1) / found)),
        ndcg_at_10=float(np.mean(_dcg_at_10(ranks) / _ideal_dcg_at_10(found))),
    )


def rank_relevant(scores: Scores, relevant: Relevance) -> npt.NDArray[np.float64]:
    """The rank (1 is best) of every relevant candidate, NaN elsewhere. Irrelevant ones of equal score come first."""
    pessimistic = np.where(relevant, scores - 1e-7 * (1 + np.abs(scores)), scores)
    order = np.argsort(-pessimistic, axis=1, kind="stable")
    ranks = np.empty(scores.shape, dtype=np.float64)
    np.put_along_axis(ranks, order, np.arange(1, scores.shape[1] + 1, dtype=np.float64)[None, :], axis=1)
    return np.where(relevant, ranks, np.nan)


def _dcg_at_10(ranks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    gains = np.where(ranks <= 10, 1 / np.log2(np.nan_to_num(ranks, nan=1e9) + 1), 0.0)
    return np.asarray(gains.sum(axis=1))


def _ideal_dcg_at_10(found: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    ideal = np.cumsum(1 / np.log2(np.arange(1, 11) + 1))
    return np.asarray(ideal[np.minimum(found, 10) - 1])
