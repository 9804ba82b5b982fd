"""Ranking metrics, against an implementation that is too simple to be wrong."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.metrics import METRICS, RankingMetrics, evaluate_ranking, query_metrics, rank_relevant


def naive_ranks(scores: list[float], relevant: list[bool]) -> list[int]:
    """Ranks of the relevant ones, best first; the irrelevant ones of equal score come before them."""
    order = sorted(range(len(scores)), key=lambda each: (-scores[each], relevant[each]))
    return [rank for rank, each in enumerate(order, start=1) if relevant[each]]


def naive_metrics(scores: npt.NDArray[np.float32], relevant: npt.NDArray[np.bool_]) -> RankingMetrics:
    ranks = [naive_ranks(row.tolist(), truth.tolist()) for row, truth in zip(scores, relevant, strict=True)]
    gains = [sum(1 / math.log2(rank + 1) for rank in each if rank <= 10) for each in ranks]
    ideal = [sum(1 / math.log2(place + 1) for place in range(1, min(len(each), 10) + 1)) for each in ranks]
    return RankingMetrics(
        n=len(ranks),
        top1=float(np.mean([each[0] == 1 for each in ranks])),
        top5=float(np.mean([each[0] <= 5 for each in ranks])),
        mrr=float(np.mean([1 / each[0] for each in ranks])),
        recall_at_20=float(np.mean([sum(rank <= 20 for rank in each) / len(each) for each in ranks])),
        ndcg_at_10=float(np.mean([gain / best for gain, best in zip(gains, ideal, strict=True)])),
    )


@st.composite
def rankings(draw: st.DrawFn) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 40)))
    # Steps of an eighth, so that there are many ties and none that is only nearly one.
    steps = draw(arrays.arrays(np.int8, shape, elements=st.integers(-30, 30)))
    relevant: npt.NDArray[np.bool_] = draw(arrays.arrays(np.bool_, shape))
    relevant[np.arange(shape[0]), draw(arrays.arrays(np.intp, shape[0], elements=st.integers(0, shape[1] - 1)))] = True
    return (steps / 8).astype(np.float32), relevant


@given(rankings())
def test_metrics_equal_the_naive_ones(ranking: tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]) -> None:
    found, expected = evaluate_ranking(*ranking), naive_metrics(*ranking)
    assert found.n == expected.n
    for name in ("top1", "top5", "mrr", "recall_at_20", "ndcg_at_10"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-9), name
        assert 0 <= getattr(found, name) <= 1 + 1e-12, name


@given(rankings())
def test_ranks_are_of_the_relevant_alone(ranking: tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]) -> None:
    scores, relevant = ranking
    ranks = rank_relevant(scores, relevant)
    assert (np.isnan(ranks) == ~relevant).all()
    for row, truth, found in zip(scores, relevant, ranks, strict=True):
        assert sorted(found[truth]) == naive_ranks(row.tolist(), truth.tolist())


@given(rankings(), st.integers(-100, 100))
def test_raising_all_scores_alike_changes_nothing(
    ranking: tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]], by: int
) -> None:
    scores, relevant = ranking
    assert evaluate_ranking(scores + np.float32(by), relevant) == evaluate_ranking(scores, relevant)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 0.7, 1000.0])
def test_a_constant_score_earns_nothing(value: float) -> None:
    scores = np.full((10, 30), value, np.float32)
    metrics = evaluate_ranking(scores, np.eye(10, 30, dtype=np.bool_))
    assert (metrics.top1, metrics.top5, metrics.recall_at_20, metrics.ndcg_at_10) == (0, 0, 0, 0)
    assert metrics.mrr == pytest.approx(1 / 30)


def test_a_tie_counts_against_the_right_one_wherever_it_stands() -> None:
    scores = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1]], np.float32)
    relevant = np.array([[True, False, False], [False, True, False]])
    assert np.nanmin(rank_relevant(scores, relevant), axis=1).tolist() == [2, 2]


def test_several_right_ones_are_each_counted() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    metrics = evaluate_ranking(scores, np.array([[True, False, True, False]]))
    assert (metrics.top1, metrics.mrr, metrics.recall_at_20) == (1, 1, 1)
    assert metrics.ndcg_at_10 == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))


def test_more_than_ten_right_ones_on_top_are_ideal() -> None:
    scores = -np.arange(30, dtype=np.float32)[None, :]
    metrics = evaluate_ranking(scores, np.arange(30)[None, :] < 25)
    assert metrics.ndcg_at_10 == pytest.approx(1)
    assert metrics.recall_at_20 == pytest.approx(20 / 25)


def test_no_query_gives_zeros() -> None:
    empty = evaluate_ranking(np.zeros((0, 5), np.float32), np.zeros((0, 5), np.bool_))
    assert empty == RankingMetrics(0, 0, 0, 0, 0, 0)


def test_figures_are_given_to_four_places() -> None:
    document = RankingMetrics(3, 1 / 3, 2 / 3, 0.123456, 1.0, 0.0).as_json()
    assert document == {
        "n": 3,
        "top1": 0.3333,
        "top5": 0.6667,
        "mrr": 0.1235,
        "recall_at_20": 1.0,
        "ndcg_at_10": 0.0,
    }


@given(rankings())
def test_each_query_is_what_it_would_be_alone(ranking: tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]) -> None:
    scores, relevant = ranking
    found = query_metrics(scores, relevant)
    assert found.best_rank.dtype == np.int64
    for row in range(len(scores)):
        alone = evaluate_ranking(scores[row : row + 1], relevant[row : row + 1])
        for name in METRICS:
            assert getattr(found, name)[row] == pytest.approx(getattr(alone, name), abs=1e-12), name


def test_what_is_no_number_comes_last() -> None:
    scores = np.array([[np.nan, 0.2, -np.inf], [np.nan, 0.2, 0.1]], np.float32)
    relevant = np.array([[True, False, False], [False, False, True]])
    assert query_metrics(scores, relevant).best_rank.tolist() == [3, 2]


def test_a_query_without_a_right_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="Query 1 of 2 has no relevant candidate"):
        query_metrics(np.zeros((2, 3), np.float32), np.array([[True, False, False], [False, False, False]]))


def test_many_queries_rank_as_a_few_do() -> None:
    """More than are compared at once."""
    random = np.random.default_rng(0)
    scores, relevant = random.standard_normal((6000, 1000)).astype(np.float32), np.zeros((6000, 1000), np.bool_)
    relevant[np.arange(6000), random.integers(0, 1000, 6000)] = True
    found = query_metrics(scores, relevant).best_rank
    right = scores[relevant]
    assert (found == 1 + (scores > right[:, None]).sum(axis=1)).all()
