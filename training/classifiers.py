"""Two classifiers over playlists, one on words and one on audio features: what a data scientist would try first.

Both give log-probabilities of the playlists that they learned, shape (songs, playlists). Their cost is bounded; a
bound that bites makes them weaker, never slower. Breiman, "Random forests" (2001), for the second.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAXIMUM_PARAMETERS = 2_500_000
"""Of the logistic regression, whose time and memory grow with them: it takes the most frequent terms that fit."""
MAXIMUM_FOREST_BYTES = 2**29
"""Of the forest, whose every node holds a share for every playlist: larger leaves keep it so."""
FLOOR = -30.0
"""The least log-probability that is given to any playlist."""

_INVERSE_PENALTY = 30.0
_ITERATIONS = 100
_TOLERANCE = 1e-3
_TREES = 300
_SMALLEST_LEAF = 2
_UNLIKELY = 0.01
"""Added to the forest's shares, most of which are 0: their logs would silence whatever they are added to."""

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]


@dataclass(frozen=True)
class WordClassifier:
    """Multinomial logistic regression on TF-IDF, L2.

    Attributes:
        terms: columns of the TF-IDF matrix that it uses.
    """

    terms: npt.NDArray[np.intp]
    model: Any

    @classmethod
    def fit(cls, texts: Any, labels: Labels) -> "WordClassifier":  # noqa: ANN401 - scipy's sparse arrays have no types
        """Learn the playlists of songs.

        Args:
            texts: sparse TF-IDF, shape (pairs, terms).
            labels: the playlist of each pair, from 0 without a gap.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        affordable = MAXIMUM_PARAMETERS // int(labels.max() + 1)
        frequency = np.bincount(texts.indices, minlength=texts.shape[1])
        terms = np.sort(np.argsort(-frequency, kind="stable")[:affordable])
        model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_ITERATIONS, tol=_TOLERANCE)
        with warnings.catch_warnings():
            # Stopped early it is a bounded baseline, which was the aim.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return cls(terms, model.fit(texts[:, terms], labels))

    def log_probabilities(self, texts: Any) -> Matrix:  # noqa: ANN401
        """Of each playlist for each song, from sparse TF-IDF of all terms."""
        found = self.model.predict_log_proba(texts[:, self.terms])
        return np.asarray(np.maximum(found, FLOOR), np.float32)


@dataclass(frozen=True)
class AudioClassifier:
    """A random forest on audio features; a feature may be missing (NaN), which splits as any value does.

    Attributes:
        features: columns that it uses: those that some training song has.
    """

    features: npt.NDArray[np.intp]
    model: Any

    @classmethod
    def fit(cls, audio: Matrix, labels: Labels) -> "AudioClassifier | None":
        """Learn the playlists of songs; None if no song has any feature.

        Args:
            audio: shape (pairs, features), NaN where unknown.
            labels: the playlist of each pair, from 0 without a gap.
        """
        from sklearn.ensemble import RandomForestClassifier

        features = np.flatnonzero(~np.isnan(audio).all(axis=0))
        if not len(features):
            return None
        leaf = smallest_leaf(len(labels), int(labels.max() + 1))
        model = RandomForestClassifier(_TREES, min_samples_leaf=leaf, random_state=0, n_jobs=-1)
        return cls(features, model.fit(audio[:, features], labels))

    def log_probabilities(self, audio: Matrix) -> Matrix:
        """Of each playlist for each song."""
        return np.asarray(np.log(self.model.predict_proba(audio[:, self.features]) + _UNLIKELY), np.float32)


def smallest_leaf(pairs: int, playlists: int) -> int:
    """The fewest pairs in a leaf, so that the forest keeps within its memory.

    A tree has about pairs / leaf nodes, each with a float64 for every playlist.
    """
    return max(_SMALLEST_LEAF, math.ceil(_TREES * pairs * playlists * 8 / MAXIMUM_FOREST_BYTES))
