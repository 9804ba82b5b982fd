"""When a song belongs nowhere, learned from songs that have a home, asked with it and with it taken away."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Evidence = Mapping[str, npt.NDArray[np.float32]]
"""By name, what is known of each song's best playlist, shape (songs,)."""

MINIMUM_SONGS = 20
"""Of either kind; of fewer nothing is learned."""

KEPT = 0.95
"""Share of the right answers that the threshold lets stand."""


@dataclass(frozen=True)
class Rule:
    """A logistic rule: the weight of each piece of evidence, and the logit where all of them are 0."""

    weights: dict[str, float]
    offset: float

    def chances(self, found: Evidence) -> npt.NDArray[np.float64]:
        """The probability that each song belongs, shape (songs,)."""
        logit = sum((weight * found[name] for name, weight in self.weights.items()), np.float64(self.offset))
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), np.float64)


def learn_rule(at_home: Evidence, astray: Evidence) -> Rule | None:
    """The rule that tells songs whose best playlist holds them from songs that have none; None if there are too few.

    L2-regularised logistic regression on standardised evidence, both kinds counting the same; the weights that come out
    are for the evidence as it is.
    """
    from sklearn.linear_model import LogisticRegression

    names = list(at_home)
    homes, strays = (np.stack([each[name] for name in names], axis=1) for each in (at_home, astray))
    if min(len(homes), len(strays)) < MINIMUM_SONGS:
        return None
    rows = np.concatenate([homes, strays]).astype(np.float64)
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    labels = np.repeat([1, 0], [len(homes), len(strays)])
    model = LogisticRegression(class_weight="balanced", max_iter=1_000).fit((rows - mean) / spread, labels)
    weights = model.coef_[0] / spread
    offset = float(model.intercept_[0] - weights @ mean)
    return Rule({name: round(float(each), 6) for name, each in zip(names, weights, strict=True)}, round(offset, 6))


def threshold_that_keeps(chances: npt.NDArray[np.floating], share: float = KEPT) -> float:
    """The highest threshold under which that share of right answers is kept; of none, 0."""
    if not len(chances):
        return 0.0
    return float(np.quantile(chances, 1 - share, method="lower"))


def share_recognised(chances: npt.NDArray[np.floating], threshold: float) -> float:
    """The share of songs without a home that a threshold tells."""
    return float(np.mean(chances < threshold)) if len(chances) else 0.0
