"""Which precision a model is run in: the faster one that this device offers, if it gives the same answers."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from sentence_transformers.util import get_device_name

from serving.inference.devices import offered_precision as offered_precision  # noqa: PLC0414 - others ask here
from serving.inference.encoder import Encoder
from serving.inference.waiting import Matrix

_log = logging.getLogger(__name__)

TRIAL_TEXTS = 64
LEAST_COSINE = 0.998
"""Between a text's vectors in both precisions: below that a precision is not used, however fast."""

LEAST_SPEEDUP = 1.1
_NEIGHBOURS = 5
_LEAST_OVERLAP = 0.95

Model = TypeVar("Model")


class Trial(Protocol):
    """What came of trying a precision against fp32; as text, for the log."""

    @property
    def holds(self) -> bool:
        """Whether it is worth having: faster, and the same answers."""


@dataclass(frozen=True)
class PrecisionTrial:
    """What came of trying a precision against fp32 on the same texts.

    Attributes:
        speedup: how many times as fast it was.
        cosine: least cosine between the two vectors of a text.
        overlap: mean share of a text's five nearest others that both precisions agree on.
    """

    precision: str
    speedup: float
    cosine: float
    overlap: float

    @property
    def holds(self) -> bool:
        """Whether it is worth having: faster, the same vectors, the same ranks."""
        return self.speedup >= LEAST_SPEEDUP and self.cosine >= LEAST_COSINE and self.overlap >= _LEAST_OVERLAP

    def __str__(self) -> str:
        return f"{self.precision} is {self.speedup:.2f} times as fast as fp32, least cosine {self.cosine:.5f}"


def chosen_device(wanted: str | None) -> str:
    """The kind of device that a model is loaded onto: the one wanted, or the best there is."""
    return (wanted or get_device_name()).partition(":")[0]


def settle_precision(load: Callable[[str], Encoder], device: str, wanted: str, texts: Sequence[str]) -> Encoder:
    """The encoder in the precision that is wanted.

    Args:
        load: loads the model in a precision.
        wanted: "auto" is the fastest that the device offers, if a trial shows that it holds.
        texts: such as will be embedded; a few are enough.
    """
    return settle(load, device, wanted, lambda exact, fast: try_precision(exact, fast, texts))


def settle(load: Callable[[str], Model], device: str, wanted: str, compare: Callable[[Model, Model], Trial]) -> Model:
    """The same of any model.

    Args:
        compare: tries the model in fp32 and in another precision.
    """
    if wanted != "auto":
        return load(wanted)
    exact, offered = load("fp32"), offered_precision(device)
    if offered == "fp32":
        return exact
    fast = load(offered)
    trial = compare(exact, fast)
    _log.info("%s: %s", trial, "used" if trial.holds else "not used")
    return fast if trial.holds else exact


def try_precision(exact: Encoder, fast: Encoder, texts: Sequence[str]) -> PrecisionTrial:
    """Embed texts (64 are enough) with a model in fp32 and with the same one in another precision, and compare."""
    seconds, expected = _timed(exact, texts)
    fast_seconds, vectors = _timed(fast, texts)
    return PrecisionTrial(
        fast.precision,
        speedup=seconds / fast_seconds,
        cosine=float(np.sum(expected * vectors, axis=1).min()),
        overlap=_overlap(expected, vectors),
    )


def _timed(encoder: Encoder, texts: Sequence[str]) -> tuple[float, Matrix]:
    encoder.songs(texts[:8])
    begun = time.perf_counter()
    vectors = encoder.songs(texts)
    return time.perf_counter() - begun, vectors


def _overlap(expected: Matrix, vectors: Matrix) -> float:
    shares = [
        len(set(a) & set(b)) / len(a) for a, b in zip(_nearest(expected), _nearest(vectors), strict=True) if len(a)
    ]
    return float(np.mean(shares)) if shares else 1.0


def _nearest(vectors: Matrix) -> npt.NDArray[np.intp]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1)[:, : min(_NEIGHBOURS, len(vectors) - 1)]
