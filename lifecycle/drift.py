"""How far a distribution has moved from another one.

The population stability index: Lewis, "An introduction to credit scoring" (1994), whose rule of thumb takes less than
0.1 for no change and more than 0.25 for a large one. It is Jeffreys' divergence; of samples of one distribution, of n
and m, it is about (categories - 1) (1/n + 1/m) by chance: Yurdakul, "Statistical properties of the population stability
index" (2018).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

CHANGED, CHANGED_MUCH = 0.1, 0.25

_LEAST = 1e-4
"""A share that is taken for none: the logarithm of nothing would be infinite."""


def stability_index(before: Sequence[float], after: Sequence[float]) -> float | None:
    """The index of two distributions over the same categories, as counts or shares; None where one holds nothing."""
    if not sum(before) or not sum(after):
        return None
    old, new = (_shares(each) for each in (before, after))
    return float(np.sum((new - old) * np.log(new / old)))


def chance_index(categories: int, before: float, after: float) -> float:
    """What the index of two samples of one distribution, of so many each, is about."""
    return (categories - 1) * (1 / before + 1 / after)


def _shares(counts: Sequence[float]) -> npt.NDArray[np.float64]:
    shares = np.maximum(np.asarray(counts, np.float64) / sum(counts), _LEAST)
    return np.asarray(shares / shares.sum(), np.float64)
