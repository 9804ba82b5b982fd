"""The candidate's answers to a sample of live requests, off the requests' path.

Live requests come first: the candidate has a process of its own that is less urgent than the server's, is asked only
while requests leave a core free, and what has waited too long for that is dropped and counted.
"""

import logging
import math
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import torch

from registry.errors import AutosortError, DatabaseUnavailable
from registry.parallel_runs import ParallelRun, SampledRequests
from registry.records import Song
from serving.matching.matcher import Answering
from serving.parallel.candidate_process import CandidateFailed, CandidateProcess, Question
from serving.parallel.compared import Answered, compare
from serving.parallel.comparison_log import ComparisonLog
from serving.schemas import SongRequest
from serving.versions.traffic import Traffic

_log = logging.getLogger(__name__)

_MOST_WAITING = 64
_PATIENCE_SECONDS = 2.0
_LOOK_SECONDS = 0.005
_IDLE_SECONDS = 60.0
"""A candidate that is asked nothing for so long gives its memory back."""

_AGAIN_SECONDS = 10.0
"""One whose process died is left in peace for so long: if it is too large, its end was nobody's accident."""


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
    """Lets the candidate answer what the live version has answered, and compares, in a thread of its own."""

    def __init__(self, candidate: CandidateProcess, log: ComparisonLog, traffic: Traffic) -> None:
        self._candidate = candidate
        self._comparisons = log
        self._traffic = traffic
        self._waiting: queue.Queue[tuple[float, LiveAnswer]] = queue.Queue(_MOST_WAITING)
        self._chance = random.Random()  # noqa: S311 - a sample, no secret
        self._cores = _cores()
        self._stopping = threading.Event()
        self._failing = False
        self._asked_at = self._died_at = -math.inf
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is being compared counts as dropped, and the database is told what was compared."""
        self._stopping.set()
        self._candidate.stop()
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
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                self._compare_or_drop(*self._waiting.get(timeout=0.5))
            if time.monotonic() - self._asked_at > _IDLE_SECONDS:
                self._candidate.stop()
            self._tell(self._comparisons.tell_if_due)
        self._candidate.stop()  # again: it may have begun between the two
        self._tell(self._comparisons.tell)

    def _compare_or_drop(self, offered_at: float, answer: LiveAnswer) -> None:
        candidate = self._answered(answer) if self._gets_a_core(offered_at) else None
        if candidate is None:
            self._drop(answer)
            return
        request, songs = compare(answer.songs, answer.answered, candidate, at=answer.at, user=answer.user)
        self._comparisons.add(answer.run.run_id, request, songs)

    def _gets_a_core(self, offered_at: float) -> bool:
        """Wait until requests leave a core free; False if that takes too long, or the server ends."""
        while not self._core_is_free():
            if time.monotonic() - offered_at > _PATIENCE_SECONDS or self._stopping.wait(_LOOK_SECONDS):
                return False
        return True

    def _core_is_free(self) -> bool:
        return self._traffic.in_flight * torch.get_num_threads() < self._cores

    def _answered(self, answer: LiveAnswer) -> Answered | None:
        """What the candidate answers; a failure of it is a finding, one of the database is not."""
        if time.monotonic() - self._died_at < _AGAIN_SECONDS:
            return None
        candidate = answer.candidate
        try:
            answered = self._candidate.answer(Question(candidate.version, candidate.profiles_revision, answer.asked))
        except DatabaseUnavailable:
            return None
        except CandidateFailed as error:
            return self._failed(answer, error)
        finally:
            self._asked_at = time.monotonic()
        return answered

    def _failed(self, answer: LiveAnswer, error: CandidateFailed) -> Answered | None:
        if self._stopping.is_set():
            return None
        if isinstance(error.__cause__, EOFError | OSError):
            self._died_at = time.monotonic()
        _log.error("The candidate %s failed to answer: %s", answer.run.candidate, error)
        return Answered()

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
