"""The candidate of a parallel run, in a process of its own.

An interpreter runs one thread at a time: a second model beside the live one would slow the live answers by a quarter,
however many cores were idle. As a process it costs them what any busy neighbour does.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from registry.artifacts import ArtifactStore
from registry.database import Database, open_database
from registry.errors import DatabaseUnavailable
from registry.settings import RegistrySettings
from registry.versions import ModelVersion
from serving.inference.lazily import Lazily
from serving.matching import matcher
from serving.matching.requested import read_requested
from serving.parallel.compared import Answered
from serving.parallel.rankings import DEPTH
from serving.schemas import SongRequest
from serving.settings import ServingSettings
from serving.versions.warm_versions import WarmVersions

if TYPE_CHECKING:
    from serving.inference.emotions import EmotionReader

_LESS_URGENT = 10
_ENDING_SECONDS = 5.0


class CandidateFailed(Exception):
    """The candidate failed to answer, or its process ended."""


@dataclass(frozen=True)
class Question:
    """What the candidate is asked: the songs of a request, to be matched by a version with playlists of a revision."""

    version: ModelVersion
    profiles_revision: int
    asked: Sequence[SongRequest]


@dataclass(frozen=True)
class _Failure:
    reason: str
    database: bool


class CandidateProcess:
    """Asks a candidate, one question after the other; the process begins with the first one.

    Args:
        threads: that the model computes with: as many as the live one, as their times are compared.
    """

    def __init__(self, registry: RegistrySettings, settings: ServingSettings, threads: int) -> None:
        self._arguments = (registry, settings, threads)
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def answer(self, question: Question) -> Answered:
        """What the candidate answers, and how long that took it. The first answer waits for the model.

        Raises:
            CandidateFailed: it failed, or its process died; the next question begins another.
            DatabaseUnavailable: what it needs of the database is not to be had: no fault of the candidate.
        """
        try:
            pipe = self._pipe or self._begin()
            pipe.send(question)
            answer: Answered | _Failure = pipe.recv()
        except (EOFError, OSError) as error:
            self.stop()
            raise CandidateFailed("its process ended") from error
        if isinstance(answer, Answered):
            return answer
        if answer.database:
            raise DatabaseUnavailable(answer.reason, "Mend that; comparing goes on by itself.")
        raise CandidateFailed(answer.reason)

    def stop(self) -> None:
        """End the process, whatever it does; any thread may. A later question begins another."""
        process, self._process, self._pipe = self._process, None, None
        if process is not None:
            process.kill()
            process.join(_ENDING_SECONDS)

    def _begin(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(theirs, *self._arguments), name="candidate", daemon=True)
        process.start()
        theirs.close()  # what is left is the process's own: whichever of the two dies, the other sees the pipe end
        self._process, self._pipe = process, ours
        return ours


def _run(pipe: Connection, registry: RegistrySettings, settings: ServingSettings, threads: int) -> None:
    """The process: answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    if hasattr(os, "nice"):
        os.nice(_LESS_URGENT)
    import torch

    torch.set_num_threads(threads)
    with open_database(registry) as database, suppress(EOFError, OSError):
        candidate = _Candidate(database, ArtifactStore(registry.artifacts_folder), settings)
        while True:
            pipe.send(candidate.answer(pipe.recv()))


class _Candidate:
    """The candidate's model and playlists, in its process."""

    def __init__(self, database: Database, artifacts: ArtifactStore, settings: ServingSettings) -> None:
        from serving.inference.loading import load_encoder

        self._database = database
        self._artifacts = artifacts
        self._device = settings.device
        load = partial(load_encoder, database, artifacts, settings)
        self._warm = WarmVersions(database, load, tiers=settings.tiers, emotions_of=self._emotions_of)

    def answer(self, question: Question) -> Answered | _Failure:
        try:
            self._warm.keep({question.version.version})
            answering = self._warm.bring(question.version, question.profiles_revision)
            requested = read_requested(self._database, answering, question.asked)
            begun = time.perf_counter()
            results = matcher.match(answering, requested.songs, requested.recorded, top_k=DEPTH)
        except DatabaseUnavailable as error:
            return _Failure(str(error), database=True)
        except Exception as error:  # noqa: BLE001 - a finding
            return _Failure(f"{type(error).__name__}: {error}", database=False)
        return Answered(results, requested.seconds + time.perf_counter() - begun)

    def _emotions_of(self, version: ModelVersion) -> "Callable[[], EmotionReader] | None":
        """The emotion model of a version that matches by emotions, which begins to be loaded now."""
        from serving.inference.emotions import EmotionModel
        from serving.inference.precision import chosen_device

        spec, device = version.spec.matched_emotions, chosen_device(self._device)
        if spec is None:
            return None
        emotions: Lazily[EmotionReader] = Lazily(
            f"The emotion model of {version.version}", lambda: EmotionModel.load(self._artifacts, spec, device=device)
        )
        emotions.begin()
        return emotions.wait
