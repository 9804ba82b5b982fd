"""All forward passes of a service, in as few and as full batches as waiting for nothing allows.

A batch is formed only when somebody is free to compute it, so batches grow by themselves with the load. On a CPU two
cores that share every multiplication wait for one another all the time: under load each takes batches of its own, and
only a text that is alone gets all of them. A GPU computes one batch while the next is made ready.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from registry.errors import InferenceFailed, Overloaded
from serving.inference.patience import Patience
from serving.inference.steps import Step
from serving.inference.waiting import Batch, Job, Matrix, Row, TokenModel, Tokens, WaitingTexts

_log = logging.getLogger(__name__)

_GPU_LANES = 2
_LOOK_SECONDS = 0.5
_FIRST_RATE = 2_000.0
"""Tokens a second that are believed of a machine before it has shown what it can do."""

_FULL = 0.98
"""Of the longest wait: what is left then is less than most requests need."""

_MEMORY = 0.2
"""Weight of the latest batch in the rate."""


@dataclass(frozen=True)
class BatchDone:
    """A batch that was computed: texts, their tokens, and how long the first of them waited and the batch took.

    Attributes:
        failed: of the texts, how many the model failed on.
    """

    model: TokenModel
    texts: int
    tokens: int
    waited_seconds: float
    seconds: float
    failed: int = 0


@dataclass(frozen=True)
class _Running:
    batch: Batch
    wide: bool
    begun_at: float


class Scheduler:
    """Runs tokenized texts through models, on all cores of a CPU or on a GPU. Threads may share it.

    Args:
        lanes: batches at once.
        threads: that a lane's model computes with when it is alone.
        longest_wait: seconds that a text may wait at most; what would wait longer is refused.
        longest_pass: seconds after which a forward pass is given up: its texts fail, its thread is left to itself.
        observe: told of each batch; must be quick.
    """

    def __init__(
        self,
        lanes: int,
        threads: int,
        *,
        longest_wait: float = 5.0,
        longest_pass: float = 60.0,
        observe: Callable[[BatchDone], None] = lambda _: None,
    ) -> None:
        self._count = lanes
        self._threads = threads
        self._longest_wait = longest_wait
        self._longest_pass = longest_pass
        self._observe = observe
        self._waiting = WaitingTexts()
        self._patience = Patience(lanes)
        self._arrived_at = -math.inf
        self._running: dict[threading.Thread, _Running] = {}
        self._lanes: set[threading.Thread] = set()
        # Always the same: each thread that multiplies with helpers keeps them, and too many of these slow all down.
        self._wide_lane: threading.Thread | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._stopped = threading.Event()
        self._rate = _FIRST_RATE
        self.succeeded_at = -math.inf
        self._watch = threading.Thread(target=self._give_up_what_hangs, name="inference-watch", daemon=True)

    @classmethod
    def for_device(cls, device: str, **options: Any) -> "Scheduler":  # noqa: ANN401
        """A scheduler for the machine's CPU or one GPU; options as for the class."""
        threads = torch.get_num_threads()
        return cls(threads if device == "cpu" else _GPU_LANES, threads, **options)

    @property
    def queue(self) -> tuple[int, int]:
        """Texts that wait, and their tokens; what was given up is among them until somebody comes to it."""
        return len(self._waiting), self._waiting.tokens

    def start(self) -> None:
        """Begin."""
        with self._changed:
            for _ in range(self._count):
                self._add_lane()
        self._watch.start()

    def stop(self) -> None:
        """End when everything that waits is computed."""
        with self._changed:
            self._stopping = True
            lanes = tuple(self._lanes)
            self._changed.notify_all()
        for lane in lanes:
            lane.join(self._longest_pass)
        self._stopped.set()
        self._watch.join()

    def submit(self, model: TokenModel, tokens: Sequence[Tokens]) -> "Future[Matrix]":
        """Have texts computed; the future's matrix has a row for each. Cancel it to have them let go.

        The future's errors: `InferenceFailed`, telling which texts the model failed on.

        Raises:
            Overloaded: they would have to wait for too long. All of them are refused.
            InferenceFailed: the service is ending.
        """
        job = Job(model, tokens, time.monotonic())
        if not tokens:
            job.done.set_result(np.zeros((0, 0), np.float32))
            return job.done
        with self._changed:
            if self._stopping:
                raise InferenceFailed("The service is ending.", "Send the request to another server.")
            self._require_room(job.size)
            if not self._waiting:
                self._arrived_at = job.asked_at
            self._waiting.add(job)
            self._patience.arrived(self._here())
            self._changed.notify_all()
        return job.done

    def _require_room(self, size: int) -> None:
        """An idle service takes whatever a request may hold; one that is at work, what it can begin in time."""
        if self._would_wait_too_long(size):
            self._waiting.forget_given_up()
        if self._would_wait_too_long(size):
            raise self._overloaded()

    def overload(self) -> Overloaded | None:
        """Why next to nothing more can be taken at this moment, if so: to be asked before a request is even read."""
        full = self._waiting.tokens / self._rate > _FULL * self._longest_wait
        return self._overloaded() if full and len(self._waiting) else None

    def _overloaded(self) -> Overloaded:
        waits = self._waiting.tokens / self._rate
        return Overloaded(
            f"The service is busy: {len(self._waiting)} texts wait, for about {waits:.1f} s.",
            "Send the same request again later; the Retry-After header says when.",
            retry_after=max(1.0, waits),
        )

    def _would_wait_too_long(self, size: int) -> bool:
        return len(self._waiting) > 0 and (self._waiting.tokens + size) / self._rate > self._longest_wait

    # The lanes ----------------------------------------------------------------------------------------------------

    def _add_lane(self) -> None:
        lane = threading.Thread(target=self._run_lane, name="inference", daemon=True)
        self._lanes.add(lane)
        if self._wide_lane not in self._lanes:
            self._wide_lane = lane
        lane.start()

    def _run_lane(self) -> None:
        lane = threading.current_thread()
        while (batch := self._next(lane)) is not None:
            self._compute(batch, lane)
            with self._changed:
                running = self._running.pop(lane, None)
                if lane not in self._lanes:  # it was given up meanwhile, and another has taken its place
                    return
                if running is not None:
                    self._patience.left(self._here(), time.monotonic() - running.begun_at)
                self._changed.notify_all()

    def _next(self, lane: threading.Thread) -> Batch | None:
        """Wait for a batch; None at the end."""
        with self._changed:
            free_since = time.monotonic()
            while True:
                batch, patience = self._take(lane, free_since)
                if batch is not None:
                    return batch
                if self._stopping and not self._waiting:
                    return None
                self._changed.wait(patience)

    def _take(self, lane: threading.Thread, free_since: float) -> tuple[Batch | None, float | None]:
        """A batch for this lane; or none, and for how long to wait unless something happens before."""
        wide = self._count == 1 or (len(self._waiting) == 1 and not self._running)
        if self._alone() or not self._waiting or (wide and lane is not self._wide_lane):
            return None, None
        patience = self._patience.wait(len(self._waiting), time.monotonic() - max(free_since, self._arrived_at))
        if patience:
            return None, patience
        batch = self._waiting.take(self._count - len(self._running))
        if batch is not None:
            self._running[lane] = _Running(batch, wide, time.monotonic())
        return batch, None

    def _here(self) -> int:
        return len(self._waiting) + sum(len(each.batch.texts) for each in self._running.values())

    def _alone(self) -> bool:
        """Whether a batch has all cores to itself."""
        return self._count > 1 and any(each.wide for each in self._running.values())

    def _compute(self, batch: Batch, lane: threading.Thread) -> None:
        running = self._running[lane]
        # What one thread sets for itself also holds for the library that multiplies: so each sets it, each time.
        torch.set_num_threads(self._threads if running.wide else max(1, self._threads // self._count))
        rows = self._forward(batch)
        seconds = time.monotonic() - running.begun_at
        if any(values is not None for values in rows):
            self.succeeded_at = time.monotonic()
        _note_steps(batch, running)
        self._hand_out(batch, rows)
        self._note(batch, running, seconds, failed=sum(values is None for values in rows))

    def _forward(self, batch: Batch) -> list[Row | None]:
        """Compute a batch, None for what fails: it is halved, until what is left are the texts that the model fails on.

        What is no number is a failure too.
        """
        try:
            rows = batch.model.forward(batch.tokens)
            return [values if np.isfinite(values).all() else None for _, values in zip(batch.texts, rows, strict=True)]
        except Exception as error:  # noqa: BLE001 - whatever a model throws is these texts' failure, not the lane's
            if len(batch.texts) > 1:
                return [values for half in batch.halves() for values in self._forward(half)]
            _log.warning("A model failed on a text of %d tokens", batch.size, exc_info=error)
            return [None]

    def _hand_out(self, batch: Batch, rows: Sequence[Row | None]) -> None:
        ended: list[Job] = []
        with self._changed:  # another lane may hold texts of the same request
            for (job, row), values in zip(batch.texts, rows, strict=True):
                job.rows[row] = values
                job.left -= 1
                if job.left == 0:
                    ended.append(job)
        for job in ended:
            job.end()

    def _note(self, batch: Batch, running: _Running, seconds: float, *, failed: int) -> None:
        lanes = 1 if running.wide else self._count
        if batch.size > batch.model.batch_tokens / 2:  # a small batch says nothing of what full ones take
            self._rate += _MEMORY * (batch.size * lanes / max(seconds, 1e-6) - self._rate)
        waited = running.begun_at - min(job.asked_at for job, _ in batch.texts)
        self._observe(BatchDone(batch.model, len(batch.texts), batch.size, waited, seconds, failed))

    # What hangs ---------------------------------------------------------------------------------------------------

    def _give_up_what_hangs(self) -> None:
        while not self._stopped.wait(min(_LOOK_SECONDS, self._longest_pass / 2)):
            with self._changed:
                for lane, running in tuple(self._running.items()):
                    if time.monotonic() - running.begun_at > self._longest_pass:
                        self._replace(lane, running)

    def _replace(self, lane: threading.Thread, running: _Running) -> None:
        _log.error("A forward pass of %d texts hangs: they fail, another thread goes on", len(running.batch.texts))
        del self._running[lane]
        self._lanes.discard(lane)
        for job, _ in running.batch.texts:
            job.fail(InferenceFailed("The model did not come back from this request's texts.", "Send it again later."))
        self._add_lane()


def _note_steps(batch: Batch, running: _Running) -> None:
    """Tell the requests that want to know when their texts were waited for and computed."""
    for job in {id(job): job for job, _ in batch.texts if job.steps is not None}.values():
        if job.steps is not None:
            job.steps.append(Step("queue", job.asked_at, running.begun_at))
            job.steps.append(Step("inference", running.begun_at, time.monotonic()))
