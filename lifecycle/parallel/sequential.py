"""Statistics that may be looked at any time: what they say holds at every look at once, however often one looks.

A test that is made anew each morning finds something sooner or later. These do not: over all looks together they are
wrong at most with the level's probability.

- Shares: the mixture e-value of a Bernoulli share under a uniform prior, p = 1 / e by Ville's inequality (Robbins,
  "Statistical methods related to the law of the iterated logarithm", 1970; for sample ratios Lindon and Malek,
  "Anytime-valid inference for multinomial count data", 2022).
- Means: asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
  theory and asymptotic confidence sequences", 2021, theorem 2.2), narrowest at about 500 values.
"""

import math
from dataclasses import dataclass

LEVEL = 0.95
_NARROWEST_AT = 500


@dataclass(frozen=True)
class Bounds:
    """From `low` to `high`, at every look at once."""

    low: float
    high: float


def share_p_value(successes: int, trials: int, expected: float) -> float:
    """Anytime-valid p of "each trial succeeds with the expected probability", two-sided; 1 before the first trial."""
    return min(1.0, math.exp(-_log_e_value(successes, trials, expected)))


def share_bounds(successes: int, trials: int, level: float = LEVEL) -> Bounds:
    """Where the probability of success lies: every share that the e-value does not contradict."""
    if not trials:
        return Bounds(0.0, 1.0)
    found = successes / trials
    limit = -math.log(1 - level)
    return Bounds(
        _edge(found, 0.0, successes, trials, limit),
        _edge(found, 1.0, successes, trials, limit),
    )


def mean_bounds(n: int, mean: float, variance: float, level: float = LEVEL) -> Bounds:
    """Where the true mean of independent values lies.

    Args:
        n: number of values.
        mean, variance: of them, as found.

    Returns:
        The bounds; infinite for fewer than two values, of which nothing is known.
    """
    if n < 2:  # noqa: PLR2004 - one value has no spread
        return Bounds(-math.inf, math.inf)
    rho_squared = (-2 * math.log(1 - level) + math.log(-2 * math.log(1 - level) + 1)) / _NARROWEST_AT
    spread = n * rho_squared + 1
    half = math.sqrt(variance) * math.sqrt(spread / (n * n * rho_squared) * math.log(spread / (1 - level) ** 2))
    return Bounds(mean - half, mean + half)


def _log_e_value(successes: int, trials: int, share: float) -> float:
    """Log of how much likelier the trials are under all shares alike than under this one."""
    failures = trials - successes
    if (successes and share <= 0) or (failures and share >= 1):
        return math.inf
    likelihood = (successes * math.log(share) if successes else 0.0) + (
        failures * math.log1p(-share) if failures else 0.0
    )
    mixture = math.lgamma(successes + 1) + math.lgamma(failures + 1) - math.lgamma(trials + 2)
    return mixture - likelihood


def _edge(inside: float, outside: float, successes: int, trials: int, limit: float) -> float:
    """The share between one that is believable and the end of the scale where belief ends, by bisection."""
    if _log_e_value(successes, trials, outside) < limit:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if _log_e_value(successes, trials, middle) < limit:
            inside = middle
        else:
            outside = middle
    return inside
