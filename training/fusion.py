"""How much each signal of a match counts, learned from songs whose playlists are known.

A conditional logit (McFadden, "Conditional logit analysis of qualitative choice behavior", 1973): the chance that a
song belongs to a playlist is the softmax, over the playlists that it could belong to, of a weighted sum of its signals.
The weights are a maximum a posteriori: normal around those of the heuristics, so that few songs change them little.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.metrics import Relevance

Features = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]

_SHARPEST = 64.0
"""Of the heuristics' scores as logits; beyond it the softmax is a choice of the highest."""


@dataclass(frozen=True)
class Choices:
    """What is learned from.

    Attributes:
        features: of n songs and p playlists, shape (n, p, k); no NaN.
        relevant: which playlists hold which songs, shape (n, p); songs of none teach nothing.
    """

    features: Features
    relevant: Relevance

    def teaching(self) -> "Choices":
        """Those songs that some playlist holds and another does not."""
        held = self.relevant.any(axis=1) & ~self.relevant.all(axis=1)
        return Choices(self.features[held], self.relevant[held])

    def loss(self, weights: Weights) -> tuple[float, Weights]:
        """The negative log-likelihood, summed over the songs, and its gradient, shape (k,)."""
        logits = np.asarray(self.features @ weights.astype(np.float32), np.float64)
        every, held = _log_sum(logits), _log_sum(np.where(self.relevant, logits, -np.inf))
        chance = np.exp(logits - every[:, None])
        among = np.where(self.relevant, np.exp(np.minimum(logits - held[:, None], 0.0)), 0.0)
        pull = (chance - among).astype(np.float32)
        gradient = np.einsum("np,npk->k", pull, self.features, dtype=np.float64, optimize=True)
        return float((every - held).sum()), gradient


def fit_weights(
    choices: Choices, start: Weights, *, spread: float, positive: npt.NDArray[np.bool_] | None = None
) -> Weights:
    """The most probable weights, shape (k,), of normal ones around `start` at its best scale.

    Args:
        start: heuristic weights, shape (k,); how sharply they decide is found first.
        spread: standard deviation of the weights around them, in logits to one standard deviation of a signal.
        positive: of which weights it is known that they are not below 0, shape (k,); by default of all.
    """
    from scipy.optimize import minimize

    taught = choices.teaching()
    if not len(taught.features):
        return start
    centre = start * best_scale(taught, start)
    limits = [(0.0, None) if each else (None, None) for each in (np.ones_like(start) if positive is None else positive)]

    def cost(weights: Weights) -> tuple[float, Weights]:
        loss, gradient = taught.loss(weights)
        away = (weights - centre) / spread
        return loss + 0.5 * float(away @ away), gradient + away / spread

    found: Any = minimize(cost, np.where(np.isfinite(centre), centre, 0.0), jac=True, method="L-BFGS-B", bounds=limits)
    return np.asarray(found.x, np.float64)


def best_scale(choices: Choices, weights: Weights) -> float:
    """By how much to multiply scores so that their softmax is most probable: above 0, at most 64."""
    from scipy.optimize import minimize_scalar

    scores = Choices(np.asarray(choices.features @ weights.astype(np.float32))[:, :, None], choices.relevant)
    found: Any = minimize_scalar(
        lambda logarithm: scores.loss(np.array([np.exp(logarithm)]))[0],
        bounds=(-np.log(_SHARPEST), np.log(_SHARPEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _log_sum(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of the exponentials of each row, which holds one number at least that is finite."""
    highest = logits.max(axis=1)
    total = np.exp(logits - highest[:, None]).sum(axis=1)
    return np.asarray(highest + np.log(total), np.float64)
