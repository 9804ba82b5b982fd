"""How alike two rankings are, and one made of two by turns. Pure functions of lists, best first."""

import random
from collections.abc import Sequence

DEPTH = 10
"""How many playlists of either answer are compared."""

OVERLAP_AT = 5
_PERSISTENCE = 0.9
"""How likely somebody who has read one place is to read the next; nine tenths of the weight lie in the first ten."""


def overlap(one: Sequence[str], other: Sequence[str], k: int = OVERLAP_AT) -> float:
    """The share of the first k that both hold; of fewer if both are shorter. Two empty lists are alike."""
    depth = min(k, max(len(one), len(other)))
    return len(set(one[:depth]) & set(other[:depth])) / depth if depth else 1.0


def rank_biased_overlap(one: Sequence[str], other: Sequence[str], persistence: float = _PERSISTENCE) -> float:
    """Agreement that counts most at the top, extrapolated beyond the lists' ends: 1 if they are equal, 0 if disjoint.

    Webber, Moffat and Zobel, "A similarity measure for indefinite rankings" (2010), the extrapolated form, for lists
    without ties; of lists of different lengths the common depth is compared.
    """
    depth = min(len(one), len(other))
    if not depth:
        return float(not one and not other)
    agreements = [len(set(one[:k]) & set(other[:k])) / k for k in range(1, depth + 1)]
    weighed = sum(agreement * persistence**k for k, agreement in enumerate(agreements, start=1))
    return agreements[-1] * persistence**depth + (1 - persistence) / persistence * weighed


def team_draft(one: Sequence[str], other: Sequence[str], k: int, chance: random.Random) -> list[tuple[str, bool]]:
    """The first k of two rankings interleaved: (item, whether `other` put it there).

    In each round a coin decides who goes first, and either puts its best item that is not there yet: whoever's items
    are then taken more often is preferred. Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval
    quality?" (2008), algorithm 2.
    """
    drafted: dict[str, bool] = {}
    while len(drafted) < k:
        before = len(drafted)
        for by_other in chance.sample((False, True), 2):
            left = (each for each in (other if by_other else one) if each not in drafted)
            item = next(left, None)
            if item is not None and len(drafted) < k:
                drafted[item] = by_other
        if len(drafted) == before:
            break
    return list(drafted.items())
