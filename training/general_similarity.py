"""Whether a model still knows what it knew of language: sentence pairs that have nothing to do with playlists.

The pairs are the project's own, in five languages, graded as in semantic textual similarity from 0 (unrelated) to 5 (of
the same meaning); the measure is Spearman's rank correlation of cosine and grade (Cer et al., "SemEval-2017 Task 1",
2017).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

Encode = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Unit vectors of texts, shape (texts, dimensions)."""

_FILE = Path(__file__).with_suffix(".jsonl")


@dataclass(frozen=True)
class GeneralSimilarity:
    """Spearman's rho over `n` pairs of sentences, in [-1, 1]."""

    n: int
    spearman: float

    def as_json(self) -> dict[str, float]:
        """The figures, rounded to four places."""
        return {"n": self.n, "spearman": round(self.spearman, 4)}


def general_similarity(encode: Encode) -> GeneralSimilarity:
    """How well a model's cosines order sentence pairs by how alike their meanings are.

    A model that gives every pair the same cosine orders nothing: 0.
    """
    pairs = _pairs()
    first, second = (encode([pair[column] for pair in pairs]) for column in ("a", "b"))
    cosines = np.sum(first * second, axis=1)
    if np.ptp(cosines) == 0:
        return GeneralSimilarity(len(pairs), 0.0)
    return GeneralSimilarity(len(pairs), float(spearmanr(cosines, [float(pair["score"]) for pair in pairs]).statistic))


@cache
def _pairs() -> tuple[dict[str, str], ...]:
    return tuple(json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines())
