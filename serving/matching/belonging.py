"""Whether a song belongs in any of the playlists at all: what speaks for its best one, brought to a probability.

A ranking has a first place even where nothing fits. How high the first score is, how far it is ahead and what each
signal says of it tell songs that have a home from songs that have none; by what weights, a version has learned.
"""

from collections.abc import Mapping

import numpy as np

from registry.versions import Belonging
from serving.matching.signals.asked import Matrix

SCORE, LEAD, SHARE, SIZE, KIN = "score", "lead", "share", "size", "kin"


def evidence(score: Matrix, scaled: Mapping[str, Matrix], sizes: Matrix) -> dict[str, Matrix]:
    """What speaks for the best playlist of each song, shape (n,) each; 0 where a signal is missing.

    Its score, by how much it leads, the log of its share of the softmax and of its size, each of its signals, and, as
    "kin", whether any playlist knows the song's artists.

    Args:
        score: shape (n, p), p at least 1; -inf for what is no candidate.
        scaled: the signals behind it, on their common scale.
        sizes: how many songs each playlist holds, shape (p,).
    """
    rows, best = np.arange(len(score)), score.argmax(axis=1)
    first = score[rows, best]
    others = score.copy()
    others[rows, best] = -np.inf
    second = np.where(np.isfinite(others.max(axis=1)), others.max(axis=1), first)
    share = -np.log(np.exp(score - first[:, None]).sum(axis=1))
    signals = {name: np.nan_to_num(each[rows, best]) for name, each in scaled.items()}
    artists = np.nan_to_num(scaled["artist"]) if "artist" in scaled else np.zeros_like(score)
    kin = np.where(np.isfinite(score), artists, np.float32(0)).max(axis=1)
    size = np.log1p(sizes[best])
    found = {SCORE: first, LEAD: first - second, SHARE: share, SIZE: size, KIN: kin, **signals}
    return {name: np.asarray(each, np.float32) for name, each in found.items()}


def chance_of_belonging(found: Mapping[str, Matrix], belonging: Belonging) -> Matrix:
    """The probability that a song belongs in its best playlist, shape (n,)."""
    logit = sum(
        (np.float32(weight) * found[name] for name, weight in belonging.weights.items() if name in found),
        np.full(len(found[SCORE]), np.float32(belonging.offset)),
    )
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), np.float32)
