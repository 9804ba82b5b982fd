"""How sure a figure is: intervals, tests and corrections for metrics of queries that come in groups.

Songs of one playlist are easy or hard together, so the playlist is what is resampled, never the single query: queries
taken as independent would make the intervals far too narrow. Everything is a function of its arguments and its seed.

- Interval: bootstrap over clusters (Cameron, Gelbach and Miller, "Bootstrap-based improvements for inference with
  clustered errors", 2008; Field and Welsh, "Bootstrapping clustered data", 2007), percentile, its level expanded for
  few clusters (Hesterberg, "What teachers should know about the bootstrap", 2015, section 4.5).
- Test: paired randomisation (Smucker, Allan and Carterette, "A comparison of statistical significance tests for
  information retrieval evaluation", 2007), signs flipped by cluster, p by Phipson and Smyth (2010): never zero.
- Many tests at once: Holm, "A simple sequentially rejective multiple test procedure" (1979).
- No worse: one-sided interval against a margin set beforehand (Piaggio et al., CONSORT for non-inferiority, 2012).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]
Groups = Sequence[str]

MINIMUM_QUERIES = 30
"""Below it a figure is shown as insufficient, and decides nothing."""

_DRAWS_AT_ONCE = 1_000_000
_ROUNDING = 1e-12
"""Sums that differ by less, relative to the sum of absolute values, are equal: only their order of adding differs."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class NonInferiority:
    """Whether something new is no worse.

    Attributes:
        difference: mean of new less mean of old.
        low: what the difference is at least, at the level asked for.
        passed: whether that is no lower than the margin allows; False where there is nothing to judge by.
    """

    difference: float
    low: float
    passed: bool


def clustered_interval(
    values: Values, groups: Groups, *, seed: int, samples: int = 2000, level: float = 0.95
) -> Interval:
    """A confidence interval of the mean of values that are alike within their group.

    Groups are drawn with replacement, each with all its values. The percentile interval is too narrow for few groups
    (by the factor sqrt((g-1)/g), and by normal instead of t quantiles), so its level is raised as Hesterberg does.

    Args:
        values: one a query.
        groups: the group of each query, the first playlist that holds its song.
        samples: number of draws.
        level: how often the interval holds the true mean.

    Returns:
        The interval. With a single group nothing is known of how groups differ: it is the range of the values. Without
        any value it is (0, 0), as the metrics of no query are 0.
    """
    tail = (1 - level) / 2
    low, high = _resampled_quantiles(values, groups, (tail, 1 - tail), seed, samples)
    return Interval(low, high)


def paired_randomisation(new: Values, old: Values, groups: Groups, *, seed: int, samples: int = 10_000) -> float:
    """Two-sided p of "new and old do equally well", for the difference of their means over the same queries.

    If both did equally well, either name could stand at either result, so the signs of the differences are flipped at
    random, of all queries of a group together: flipping them one by one would take a playlist's songs as independent.

    Args:
        new, old: one value a query each, in the same order.
        groups: the group of each query.
        samples: number of random assignments; p is at least 1 / (samples + 1).

    Returns:
        p in (0, 1]; 1 if there is no query or no difference.
    """
    differences = _differences(new, old, groups)
    sums, _ = _group_sums(differences, groups)
    slack = _ROUNDING * float(np.abs(sums).sum())
    observed = abs(float(sums.sum())) - slack
    random = np.random.default_rng(seed)
    extreme = 0
    for count in _portions(samples, len(sums)):
        signs = random.integers(0, 2, (count, len(sums)), dtype=np.int8) * np.int8(2) - np.int8(1)
        extreme += int((np.abs(signs @ sums) >= observed).sum())
    return (1 + extreme) / (samples + 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p values by name: below alpha, they hold together at alpha, however many there are.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below the one before it, none
    exceeds 1. Names keep their order.
    """
    adjusted, floor = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        floor = min(1.0, max(floor, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = floor
    return {name: adjusted[name] for name in p_values}


def non_inferior(
    new: Values, old: Values, groups: Groups, margin: float, *, seed: int, level: float = 0.95
) -> NonInferiority:
    """Whether new is no worse than old by more than a margin, one-sided, over the same queries.

    Args:
        new, old: one value a query each, in the same order.
        groups: the group of each query.
        margin: the loss that would still be accepted, in units of the metric, 0 or more; set before looking.
        level: confidence of the lower bound.
    """
    differences = _differences(new, old, groups)
    if len(differences) == 0:
        return NonInferiority(0.0, 0.0, passed=False)
    (low,) = _resampled_quantiles(differences, groups, (1 - level,), seed)
    return NonInferiority(float(differences.mean()), low, passed=low >= -margin - _ROUNDING)


def _resampled_quantiles(
    values: Values, groups: Groups, shares: Sequence[float], seed: int, samples: int = 2000
) -> list[float]:
    """Quantiles of the mean over draws of whole groups, expanded for the number of groups."""
    sums, counts = _group_sums(values, groups)
    if len(sums) == 0:
        return [0.0 for _ in shares]
    if len(sums) == 1:
        return [float(np.quantile(values, round(share))) for share in shares]
    random = np.random.default_rng(seed)
    means = np.empty(0)
    for count in _portions(samples, len(sums)):
        drawn = random.integers(0, len(sums), (count, len(sums)))
        means = np.append(means, sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return [float(np.quantile(means, _expanded(share, len(sums)))) for share in shares]


def _expanded(share: float, groups: int) -> float:
    """The share whose normal quantile is, shrunk as the bootstrap shrinks it, the t quantile of the share asked for."""
    from scipy.special import ndtr, stdtrit

    return float(ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, share)))


def _group_sums(values: Values, groups: Groups) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum and number of the values of each group, the groups in their own order whatever that of the queries."""
    array = np.asarray(values, np.float64)
    if len(array) != len(groups):
        raise ValueError(f"{len(array)} values have {len(groups)} groups; give one group a value.")
    _, member = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    return np.bincount(member, array).astype(np.float64), np.bincount(member).astype(np.float64)


def _differences(new: Values, old: Values, groups: Groups) -> npt.NDArray[np.float64]:
    if not len(new) == len(old) == len(groups):
        raise ValueError(f"{len(new)} new values, {len(old)} old ones and {len(groups)} groups are no pairs.")
    return np.asarray(new, np.float64) - np.asarray(old, np.float64)


def _portions(samples: int, width: int) -> Iterator[int]:
    """Split a number of draws so that one portion of this width stays small in memory."""
    step = max(1, _DRAWS_AT_ONCE // max(1, width))
    for start in range(0, samples, step):
        yield min(step, samples - start)
