"""Against forgetting: weights on the straight line from the base model to the fine-tuned one.

Wortsman et al., "Robust fine-tuning of zero-shot models" (2022): a point between the two often keeps what the base
model knew and what the training taught (WiSE-FT).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from training.development import Development, Encode, Measured
from training.general_similarity import general_similarity

Weights = Mapping[str, Tensor]

GENERAL_SIMILARITY_KEPT = 0.02
"""How much general similarity (Spearman's rho) a coefficient may cost and still be chosen; a little less than the gate
allows, which measures it again in full precision."""


@dataclass(frozen=True)
class Point:
    """A coefficient and what the model does there; 0 is the base model, 1 the fine-tuned one.

    Attributes:
        general_similarity: Spearman's rho on sentence pairs that have nothing to do with playlists.
        offered: whether it may be chosen.
    """

    coefficient: float
    development: Measured
    general_similarity: float
    offered: bool = True

    def as_json(self) -> dict[str, Any]:
        """The point as a JSON object, its figures rounded to four places."""
        return {
            "coefficient": self.coefficient,
            "development": {name: round(value, 4) for name, value in self.development.mrr.items()},
            "mean": round(self.development.mean, 4),
            "general_similarity": round(self.general_similarity, 4),
        }


def interpolated(base: Weights, tuned: Weights, coefficient: float) -> dict[str, Tensor]:
    """The weights at a coefficient, tensor by tensor; what is not of floating point stays as it was tuned."""
    return {
        name: torch.lerp(base[name].float(), value.float(), coefficient).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in tuned.items()
    }


def trace(
    model: SentenceTransformer,
    base: Weights,
    coefficients: Sequence[float],
    development: Development,
    encode: Encode,
) -> list[Point]:
    """Measure the model at the base (0), at each coefficient and at its own weights (1), which it keeps.

    Only the coefficients asked for may be chosen.

    Args:
        model: holds the fine-tuned weights; `encode` encodes with it.
    """
    tuned = {name: value.detach().clone() for name, value in model.state_dict().items()}
    points = []
    for coefficient in sorted({0.0, *coefficients, 1.0}):
        model.load_state_dict(interpolated(base, tuned, coefficient))
        similarity = general_similarity(encode).spearman
        points.append(Point(coefficient, development.measure(encode), similarity, coefficient in coefficients))
    return points


def choose(points: Sequence[Point]) -> Point:
    """The best mean over the development regimes, of the coefficients on offer that keep general similarity.

    If none keeps it, the one that keeps most of it. Of equals, the one nearer to the base model.
    """
    floor = points[0].general_similarity - GENERAL_SIMILARITY_KEPT
    offered = [each for each in points if each.offered]
    kept = [each for each in offered if each.general_similarity >= floor]
    if kept:
        return max(kept, key=lambda each: (each.development.mean, -each.coefficient))
    return max(offered, key=lambda each: (each.general_similarity, -each.coefficient))
