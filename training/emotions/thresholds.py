"""From which score on a label holds, and how well it is then found.

Thresholds that maximise F1, each label's own: Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to
maximize F1 measure" (2014), which also warns that the best threshold of a rare label is chance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.emotions.texts import Labelled

Scores = npt.NDArray[np.float32]
Figures = npt.NDArray[np.float64]

_GRID = np.linspace(-4.0, 2.0, 121)
"""Of log-odds: scores of 0.018 to 0.88, by steps of 0.05."""

_SMOOTHING = 7
"""Steps of the grid over which a label's F1 is averaged: a peak that one text makes is none."""

_SHRINKAGE = 10
"""Texts with a label at which its own threshold counts as much as the common one."""


_TIE = 1e-9


@dataclass(frozen=True)
class Quality:
    """How well labels are found: of each its precision, recall, F1, texts that have it, and share of texts said to."""

    precision: Figures
    recall: Figures
    f1: Figures
    support: npt.NDArray[np.int64]
    rate: Figures

    @property
    def macro_f1(self) -> float:
        """The mean of the labels' F1."""
        return float(self.f1.mean())

    @classmethod
    def measure(cls, scores: Scores, thresholds: npt.ArrayLike, labels: Labelled) -> "Quality":
        """Compare scores, shape (texts, labels), at thresholds with the true labels; what is never said has F1 0."""
        said = scores >= np.asarray(thresholds, np.float32)
        right, told, true = (said & labels).sum(0), said.sum(0), labels.sum(0)
        return cls(
            precision=right / np.maximum(told, 1),
            recall=right / np.maximum(true, 1),
            f1=2 * right / np.maximum(told + true, 1),
            support=true,
            rate=said.mean(0),
        )


def fit_thresholds(scores: Scores, labels: Labelled) -> Figures:
    """Thresholds that give each label its best F1; of a rare label, one near the best that all have in common.

    Args:
        scores: sigmoid scores, shape (texts, labels), of texts that were not trained on.
    """
    f1 = _f1_on_grid(_log_odds(scores), labels)
    common = _best(f1.mean(0))
    own = np.array([_best(_smooth(row)) for row in f1])
    support = labels.sum(0)
    odds = (support * own + _SHRINKAGE * common) / (support + _SHRINKAGE)
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


def _f1_on_grid(odds: Figures, labels: Labelled) -> Figures:
    """F1 of each label at each threshold of the grid, shape (labels, thresholds)."""
    said = odds.T[:, None, :] >= _GRID[None, :, None]
    right = (said & labels.T[:, None, :]).sum(2)
    return np.asarray(2 * right / np.maximum(said.sum(2) + labels.sum(0)[:, None], 1), np.float64)


def _best(f1: Figures) -> float:
    """The threshold with the highest F1; of several in a row, the middle one."""
    best = np.flatnonzero(f1 >= f1.max() - _TIE)
    return float(_GRID[best[len(best) // 2]])


def _log_odds(scores: Scores) -> Figures:
    exact = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.asarray(np.log(exact / (1 - exact)), np.float64)


def _smooth(values: Figures) -> Figures:
    padded = np.pad(values, _SMOOTHING // 2, mode="edge")
    return np.convolve(padded, np.full(_SMOOTHING, 1 / _SMOOTHING), "valid")
