"""What a request's steps took, for whoever traces requests; kept only while somebody does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A part of answering a request, and when it began and ended, by the monotonic clock in seconds."""

    name: str
    begun_at: float
    ended_at: float


STEPS: ContextVar[list[Step] | None] = ContextVar("steps", default=None)
"""Of the request that is being answered here; None if nobody wants to know."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """A step of the present request, from its beginning to its end."""
    steps = STEPS.get()
    begun = time.monotonic()
    try:
        yield
    finally:
        if steps is not None:
            steps.append(Step(name, begun, time.monotonic()))
