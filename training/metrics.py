"""Ranking metrics: how high the right ones come.

Every metric is a mean over queries, in [0, 1]. Ties count against the right one, so a constant score earns nothing.
nDCG with binary relevance as in Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
"""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Relevance = npt.NDArray[np.bool_]
Figures = npt.NDArray[np.float64]

METRICS = ("top1", "top5", "mrr", "recall_at_20", "ndcg_at_10")

_COMPARISONS_AT_ONCE = 4_000_000


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


@dataclass(frozen=True)
class QueryMetrics:
    """One figure a query, each shape (queries,).

    Attributes:
        best_rank: rank of the best relevant candidate, 1 being the best; top1, top5 and mrr follow from it.
        recall_at_20: share of the relevant candidates among the first 20.
        ndcg_at_10: discounted cumulated gain of the first 10 over that of the best order possible.
    """

    best_rank: npt.NDArray[np.int64]
    recall_at_20: Figures
    ndcg_at_10: Figures

    @property
    def top1(self) -> Figures:
        """1 where the first candidate is relevant."""
        return (self.best_rank <= 1).astype(np.float64)

    @property
    def top5(self) -> Figures:
        """1 where one of the first five is relevant."""
        return (self.best_rank <= 5).astype(np.float64)

    @property
    def mrr(self) -> Figures:
        """1 / best rank."""
        return 1 / self.best_rank.astype(np.float64)

    def mean(self) -> RankingMetrics:
        """The means; zeros if there is no query."""
        if len(self.best_rank) == 0:
            return RankingMetrics(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        return RankingMetrics(len(self.best_rank), **{name: float(getattr(self, name).mean()) for name in METRICS})


def evaluate_ranking(scores: Scores, relevant: Relevance) -> RankingMetrics:
    """Metrics of ranking candidates by score: the means of `query_metrics`, with its arguments and errors."""
    return query_metrics(scores, relevant).mean()


def query_metrics(scores: Scores, relevant: Relevance) -> QueryMetrics:
    """Metrics of each query by itself.

    Args:
        scores: shape (queries, candidates).
        relevant: same shape; every query has at least one relevant candidate.

    Raises:
        ValueError: a query has no relevant candidate.
    """
    found = relevant.sum(axis=1)
    if len(found) and not found.all():
        raise ValueError(f"Query {int(found.argmin())} of {len(found)} has no relevant candidate.")
    rows, _, ranks = _relevant_ranks(scores, relevant)
    best = np.full(len(scores), scores.shape[1], np.int64)
    np.minimum.at(best, rows, ranks)
    gains = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0)
    return QueryMetrics(
        best_rank=best,
        recall_at_20=np.bincount(rows, ranks <= 20, len(scores)) / found,
        ndcg_at_10=np.bincount(rows, gains, len(scores)) / _ideal_dcg_at_10(found),
    )


def rank_relevant(scores: Scores, relevant: Relevance) -> Figures:
    """The rank (1 is best) of every relevant candidate, NaN elsewhere. Irrelevant ones of equal score come first."""
    rows, columns, ranks = _relevant_ranks(scores, relevant)
    placed = np.full(scores.shape, np.nan)
    placed[rows, columns] = ranks
    return placed


def _relevant_ranks(
    scores: Scores, relevant: Relevance
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Row, column and rank of every relevant candidate.

    Counting what stands above the few relevant ones is several times as fast as sorting every row.
    """
    rows, columns = np.nonzero(relevant)
    pessimistic = np.where(relevant, scores - 1e-7 * (1 + np.abs(scores)), scores)
    # Nothing is greater than NaN, which would put it first.
    np.copyto(pessimistic, -np.inf, where=np.isnan(pessimistic))
    ranks = np.empty(len(rows), np.int64)
    step = max(1, _COMPARISONS_AT_ONCE // max(1, scores.shape[1]))
    places = np.arange(scores.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        rivals, own = pessimistic[rows[part]], pessimistic[rows[part], columns[part]][:, None]
        first_of_equals = ~relevant[rows[part]] | (places < columns[part, None])
        before = (rivals > own) | ((rivals == own) & first_of_equals)
        ranks[part] = 1 + before.sum(axis=1)
    return rows, columns, ranks


def _ideal_dcg_at_10(found: npt.NDArray[np.int_]) -> Figures:
    ideal = np.cumsum(1 / np.log2(np.arange(1, 11) + 1))
    return np.asarray(ideal[np.minimum(found, 10) - 1])
