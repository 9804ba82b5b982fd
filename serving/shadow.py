"""The candidate's answers to a sample of live requests, off the requests' path.

Live requests come first: the queue is short, the thread is less urgent than theirs, it waits for a core that they leave
free, and what has waited too long is dropped and counted.
"""

import logging
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import torch

from registry.errors import AutosortError
from registry.parallel_runs import ParallelRun, SampledRequests
from registry.records import Song
from serving import matcher
from serving.compared import Answered, compare
from serving.comparison_log import ComparisonLog
from serving.matcher import Answering
from serving.rankings import DEPTH
from serving.requested import RequestedSongs
from serving.schemas import SongRequest
from serving.traffic import Traffic

_log = logging.getLogger(__name__)

_MOST_WAITING = 64
_PATIENCE_SECONDS = 2.0
_LOOK_SECONDS = 0.005
_LESS_URGENT = 10


@dataclass(frozen=True)
class LiveAnswer:
    """A request that the live version has answered, and the candidate that may answer it too."""

    run: ParallelRun
    candidate: Answering
    asked: Sequence[SongRequest]
    songs: Sequence[Song]
    answered: Answered
    user: str | None
    at: datetime


class Shadow:
    """Lets the candidate answer what the live version has answered, in a thread of its own."""

    def __init__(self, requested: RequestedSongs, log: ComparisonLog, traffic: Traffic) -> None:
        self._requested = requested
        self._comparisons = log
        self._traffic = traffic
        self._waiting: queue.Queue[tuple[float, LiveAnswer]] = queue.Queue(_MOST_WAITING)
        self._chance = random.Random()  # noqa: S311 - a sample, no secret
        self._cores = _cores()
        self._stopping = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the comparison at hand; the database is told what was compared."""
        self._stopping.set()
        self._thread.join()

    def chooses(self, run: ParallelRun) -> bool:
        """Whether a request that the live version answers is compared; it is counted either way."""
        chosen = self._chance.random() < run.sample
        self._comparisons.count(run.run_id, SampledRequests(seen=1, sampled=int(chosen)))
        return chosen

    def offer(self, answer: LiveAnswer) -> None:
        """Have a chosen request compared, unless too many wait already."""
        try:
            self._waiting.put_nowait((time.monotonic(), answer))
        except queue.Full:
            self._drop(answer)

    def _drop(self, answer: LiveAnswer) -> None:
        self._comparisons.count(answer.run.run_id, SampledRequests(dropped=1))

    def _run(self) -> None:
        _be_less_urgent()
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                self._compare_or_drop(*self._waiting.get(timeout=0.5))
            self._tell(self._comparisons.tell_if_due)
        self._tell(self._comparisons.tell)

    def _compare_or_drop(self, offered_at: float, answer: LiveAnswer) -> None:
        while not self._core_is_free():
            if time.monotonic() - offered_at > _PATIENCE_SECONDS or self._stopping.wait(_LOOK_SECONDS):
                self._drop(answer)
                return
        candidate = self._answered(answer)
        request, songs = compare(answer.songs, answer.answered, candidate, at=answer.at, user=answer.user)
        self._comparisons.add(answer.run.run_id, request, songs)

    def _core_is_free(self) -> bool:
        return self._traffic.in_flight * torch.get_num_threads() < self._cores

    def _answered(self, answer: LiveAnswer) -> Answered:
        """What the candidate answers; a failure of it is a finding."""
        try:
            requested = self._requested.read(answer.candidate, answer.asked)
            begun = time.perf_counter()
            results = matcher.match(answer.candidate, requested.songs, requested.recorded, top_k=DEPTH)
        except Exception:  # noqa: BLE001 - logged, and a finding
            _log.exception("The candidate %s failed to answer", answer.run.candidate)
            return Answered()
        return Answered(results, requested.seconds + time.perf_counter() - begun)

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
            self._failing = False
        except AutosortError as error:
            if not self._failing:
                _log.warning("Comparisons cannot be written and wait: %s", error)
            self._failing = True


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _be_less_urgent() -> None:
    """Give way to other threads: Linux has a priority for each thread, other systems only for whole processes."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LESS_URGENT)
