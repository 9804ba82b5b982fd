"""The coin that decides what a share of songs has and the rest has not."""

from random import Random


def chance(rng: Random, share: float) -> bool:
    """True in this share of cases."""
    return rng.random() < share
