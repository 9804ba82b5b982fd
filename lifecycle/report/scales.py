"""Scales of the report's plots: what part of the width a value stands at, and which values are marked."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A linear scale from `low` to `high`, with the values that are marked on it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value stands, from 0 (low) to 1 (high); what is beyond an end stands at the end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def scale_over(values: Iterable[float], *, marks: int = 4, include: tuple[float, ...] = ()) -> Scale:
    """A scale that holds all values, from a round number to a round number, all of them marked.

    Args:
        marks: about how many steps there are between them.
        include: values that it holds in any case.
    """
    low, high = _ends((*values, *include))
    step = _step((high - low) / marks)
    ticks = _multiples(step, math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9))
    return Scale(ticks[0], ticks[-1], ticks)


def snug_scale_over(values: Iterable[float], *, marks: int = 4, include: tuple[float, ...] = ()) -> Scale:
    """A scale that ends where the values do, with the round numbers in between marked."""
    low, high = _ends((*values, *include))
    step = _step((high - low) / marks)
    ticks = _multiples(step, math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9))
    return Scale(low, high, ticks)


def tick_label(value: float, ticks: tuple[float, ...]) -> str:
    """A tick's value with as many decimals as the step between ticks needs, and a real minus sign."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    decimals = next((number for number in range(4) if abs(round(step, number) - step) < 1e-9), 4)
    return f"{value:.{decimals}f}".replace("-", "−")


def _ends(values: Iterable[float]) -> tuple[float, float]:
    held = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(held), max(held)
    return (low, high) if high - low > 1e-9 else (low - 0.05, high + 0.05)


def _multiples(step: float, first: int, last: int) -> tuple[float, ...]:
    return tuple(round(number * step, 10) for number in range(first, last + 1))


def _step(rough: float) -> float:
    """The least round number (1, 2, 2.5 or 5 times a power of ten) that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))
