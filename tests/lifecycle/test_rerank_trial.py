"""A reranker is weighed on songs whose playlists are known, and dropped unless it gains more than chance."""

import numpy as np
import numpy.typing as npt
import pytest

from lifecycle.rerank_trial import WEIGHTS, weigh_logits

SONGS, PLAYLISTS, READ = 120, 30, 20


@pytest.fixture
def ranked() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Scores that put the right playlist among the first twenty, mostly not first; those twenty; the right ones."""
    generator = np.random.default_rng(5)
    relevant = np.zeros((SONGS, PLAYLISTS), np.bool_)
    relevant[np.arange(SONGS), generator.integers(PLAYLISTS, size=SONGS)] = True
    score = (generator.normal(size=relevant.shape) + 1.5 * relevant).astype(np.float32)
    return score, np.argsort(-score, axis=1)[:, :READ], relevant


def test_what_knows_better_is_given_weight(
    ranked: tuple[npt.NDArray[np.float32], npt.NDArray[np.intp], npt.NDArray[np.bool_]],
) -> None:
    score, first, relevant = ranked
    trial = weigh_logits(
        score, first, np.where(np.take_along_axis(relevant, first, 1), 3, -3).astype(np.float32), relevant
    )
    assert trial.record["taken"] is True
    assert trial.weight == trial.record["weight"] in WEIGHTS
    assert trial.record["mrr_after"] > trial.record["mrr_before"] + 0.2


def test_what_knows_nothing_or_the_contrary_is_dropped(
    ranked: tuple[npt.NDArray[np.float32], npt.NDArray[np.intp], npt.NDArray[np.bool_]],
) -> None:
    score, first, relevant = ranked
    wrong = np.where(np.take_along_axis(relevant, first, 1), -3, 3).astype(np.float32)
    for logits in (np.zeros_like(wrong), wrong):
        trial = weigh_logits(score, first, logits, relevant)
        assert (trial.weight, trial.record["taken"]) == (0.0, False)


def test_what_was_not_read_stays_behind_what_was() -> None:
    """The right playlist was not read: no weight can bring it forward, nor push it further back."""
    score = np.array([[3.0, 2.0, 1.0]], np.float32)
    trial = weigh_logits(
        score, np.array([[0, 1]]), np.array([[-9.0, -9.0]], np.float32), np.array([[False, False, True]])
    )
    assert trial.record["mrr_before"] == trial.record["mrr_after"] == pytest.approx(1 / 3, abs=1e-4)
    assert trial.weight == 0
