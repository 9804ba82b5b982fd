"""Texts that wait for a model, and how they are taken into batches. Not safe for threads by itself."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from registry.errors import InferenceFailed
from serving.inference.steps import STEPS, Step

_WINDOW = 4
"""Batches' worth of waiting texts for each taker from which those of one length are picked."""

Tokens = Sequence[int]
Matrix = npt.NDArray[np.float32]
Row = npt.NDArray[np.float32]


class TokenModel(Protocol):
    """Anything that turns tokenized texts into a row of numbers each: an encoder, a classifier, a reranker."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of a batch that keep the device busy."""

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        """One row for each text, in their order."""


@dataclass(eq=False)
class Job:
    """A request's texts on their way through a model; `done` gets their rows, or why there are none.

    Attributes:
        steps: of the request, if somebody wants to know what they take.
    """

    model: TokenModel
    tokens: Sequence[Tokens]
    asked_at: float
    done: "Future[Matrix]" = field(default_factory=Future)
    steps: list[Step] | None = field(default_factory=STEPS.get)
    rows: list[Row | None] = field(init=False)
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [None] * len(self.tokens)
        self.left = len(self.tokens)

    @property
    def size(self) -> int:
        """Tokens in all."""
        return sum(map(len, self.tokens))

    def end(self) -> None:
        """Tell what came of it, when each text was computed or failed."""
        failed = [row for row, values in enumerate(self.rows) if values is None]
        if failed:
            self.fail(_failed_on(failed))
        elif not self.done.done() and self.done.set_running_or_notify_cancel():
            self.done.set_result(np.stack([values for values in self.rows if values is not None]))

    def fail(self, error: InferenceFailed) -> None:
        """Tell that it failed, unless that was told."""
        if not self.done.done() and self.done.set_running_or_notify_cancel():
            self.done.set_exception(error)


@dataclass(frozen=True)
class Batch:
    """Texts that go through a model together: each a job and the text's place in it."""

    model: TokenModel
    texts: Sequence[tuple[Job, int]]

    @property
    def tokens(self) -> list[Tokens]:
        return [job.tokens[row] for job, row in self.texts]

    @property
    def size(self) -> int:
        """Tokens in all, without padding."""
        return sum(len(job.tokens[row]) for job, row in self.texts)

    def halves(self) -> "tuple[Batch, Batch]":
        """Two batches of half the texts each."""
        middle = len(self.texts) // 2
        return Batch(self.model, self.texts[:middle]), Batch(self.model, self.texts[middle:])


class WaitingTexts:
    """A queue of texts. Those of one request may be taken into several batches, those of several into one."""

    def __init__(self) -> None:
        self._texts: deque[tuple[Job, int]] = deque()
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, job: Job) -> None:
        """Let all texts of a job wait."""
        self._texts.extend((job, row) for row in range(len(job.tokens)))
        self.tokens += job.size

    def forget_given_up(self) -> None:
        """Let texts go whose client no longer waits for them, or whose request has failed."""
        self._texts = deque((job, row) for job, row in self._texts if not job.done.done())
        self.tokens = sum(len(job.tokens[row]) for job, row in self._texts)

    def take(self, shares: int) -> Batch | None:
        """The next batch, for one of so many takers that are free now; None if nobody waits any more.

        It holds the text that has waited longest, and those of about its length that wait for the same model: as many
        as pad to the model's budget, or a fair share of what waits. Texts that the client gave up are let go.
        """
        window = self._window(shares)
        if not window:
            return None
        model = window[0][0].model
        taken = _like_the_first([len(job.tokens[row]) for job, row in window], model.batch_tokens, shares)
        self._texts.extendleft(window[place] for place in reversed(range(len(window))) if place not in taken)
        batch = Batch(model, [window[place] for place in sorted(taken)])
        self.tokens -= batch.size
        return batch

    def _window(self, shares: int) -> list[tuple[Job, int]]:
        """Take the texts of the one model that are considered out of the queue, in their order."""
        window: list[tuple[Job, int]] = []
        others: list[tuple[Job, int]] = []
        size = 0
        while self._texts and (not window or size < _WINDOW * shares * window[0][0].model.batch_tokens):
            job, row = self._texts.popleft()
            if job.done.done():  # given up by the client, or failed
                self.tokens -= len(job.tokens[row])
            elif window and job.model is not window[0][0].model:
                others.append((job, row))
            else:
                window.append((job, row))
                size += len(job.tokens[row])
        self._texts.extendleft(reversed(others))
        return window


def _like_the_first(lengths: Sequence[int], budget: int, shares: int) -> set[int]:
    """Places of the first text and of those nearest to it in length, up to the budget of padded tokens or a share."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    low = high = order.index(0)
    fair, size = sum(lengths) / shares, lengths[0]
    while high - low + 1 < len(order):
        shorter = lengths[order[low - 1]] if low > 0 else None
        longer = lengths[order[high + 1]] if high + 1 < len(order) else None
        downwards = shorter is not None and (longer is None or lengths[0] - shorter <= longer - lengths[0])
        added, widest = (shorter, lengths[order[high]]) if downwards else (longer, longer)
        if added is None or widest is None or widest * (high - low + 2) > budget or size + added / 2 > fair:
            break
        low, high, size = (low - 1, high, size + added) if downwards else (low, high + 1, size + added)
    return set(order[low : high + 1])


def _failed_on(rows: Sequence[int]) -> InferenceFailed:
    return InferenceFailed(
        f"The model failed on {len(rows)} of this request's texts, the first is number {rows[0]} (counted from 0).",
        "Leave them out; the service's log says more.",
        details={"texts": list(rows)},
    )
