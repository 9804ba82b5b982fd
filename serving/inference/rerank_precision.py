"""Whether a reranker ranks alike in a faster precision."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.inference.precision import LEAST_SPEEDUP
from serving.inference.reranker import Pair, Reranker
from serving.inference.waiting import Row

_LARGEST_ERROR = 0.1
"""Of a logit, in standard deviations of the logits: what is farther apart keeps its order."""


@dataclass(frozen=True)
class RerankTrial:
    """What came of trying a precision against fp32 on the same pairs.

    Attributes:
        speedup: how many times as fast it was.
        error: the largest difference of a pair's logits, in standard deviations of the logits.
    """

    precision: str
    speedup: float
    error: float

    @property
    def holds(self) -> bool:
        """Whether it is worth having: faster, and the same ranks but among what is about equal."""
        return self.speedup >= LEAST_SPEEDUP and self.error <= _LARGEST_ERROR

    def __str__(self) -> str:
        return f"{self.precision} reranks {self.speedup:.2f} times as fast as fp32, largest error {self.error:.3f}"


def try_reranking(exact: Reranker, fast: Reranker, pairs: Sequence[Pair]) -> RerankTrial:
    """Read pairs (32 are enough) with a model in fp32 and with the same one in another precision, and compare."""
    seconds, expected = _timed(exact, pairs)
    fast_seconds, logits = _timed(fast, pairs)
    error = np.abs(expected - logits).max() / max(float(expected.std()), 1e-6)
    return RerankTrial(fast.precision, seconds / fast_seconds, float(error))


def _timed(reranker: Reranker, pairs: Sequence[Pair]) -> tuple[float, Row]:
    reranker.read(pairs[:8])
    begun = time.perf_counter()
    logits = reranker.read(pairs).logits
    return time.perf_counter() - begun, logits
