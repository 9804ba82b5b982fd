"""All that a server consists of, made, started and stopped together."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self, TypeVar

import psutil
import torch
from threadpoolctl import threadpool_limits

from registry.artifacts import ArtifactStore
from registry.database import Database
from registry.settings import RegistrySettings
from registry.versions import EmbedderSpec, ModelVersion
from serving.access.keyring import Keyring
from serving.inference.emotions import EmotionModel, EmotionReader, ServedEmotions
from serving.inference.encoder import Encoder
from serving.inference.lazily import Lazily
from serving.inference.loading import load_encoder, load_reranker
from serving.inference.precision import chosen_device
from serving.inference.reranker import PairReader, ServedReranker
from serving.inference.scheduler import BatchDone, Scheduler
from serving.inference.served import ServedEncoder
from serving.inference.waiting import TokenModel
from serving.library import Library
from serving.matching.requested import RequestedSongs
from serving.monitoring.metrics import Metrics
from serving.monitoring.state import ServiceState
from serving.monitoring.traces import traces_of_environment
from serving.parallel.candidate_process import CandidateProcess
from serving.parallel.comparison_log import ComparisonLog
from serving.parallel.live_matching import LiveMatching
from serving.parallel.shadow import Shadow
from serving.settings import ServingSettings
from serving.versions.heartbeat import Heartbeat
from serving.versions.held_emotions import HeldEmotions
from serving.versions.predicted import PredictedEmotions
from serving.versions.readiness import Readiness
from serving.versions.slot import VersionSlot
from serving.versions.traffic import Traffic

Model = TypeVar("Model")

_MEMORY_FOR_EACH_BYTE = 2.0
"""Of a model on disk: its weights, once more in a second precision or while they are read."""

_MEMORY_LEFT = 512 * 2**20


class Service:
    """A server's parts; a context from its start to its end."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, registry: RegistrySettings, settings: ServingSettings
    ) -> None:
        self.traffic = Traffic()
        self.keyring = Keyring(database, settings.auth)
        self.metrics = Metrics(self._name)
        self.traces = traces_of_environment()
        self.predicted = PredictedEmotions()
        self.heartbeat = Heartbeat(database, self.traffic, lambda: self.slot.report(), self.predicted)  # noqa: PLW0108 - the slot is made below
        device = chosen_device(settings.device)
        self.scheduler = Scheduler.for_device(device, observe=self._batch_done)
        self.readiness = Readiness(self.scheduler)
        self._load = partial(load_encoder, database, artifacts, settings)
        self._load_reranker = partial(load_reranker, database, artifacts, settings)
        self.slot = VersionSlot(
            database,
            self._load_served,
            poll_seconds=settings.poll_seconds,
            on_change=self.heartbeat.changed,
            can_hold=lambda version: _has_room(artifacts, version),
            reranker_of=self._reranker_of,
            emotions_of=self._emotions_of,
            tiers=settings.tiers,
        )
        self.emotions = HeldEmotions(
            lambda spec: ServedEmotions(
                self._timed(lambda: EmotionModel.load(artifacts, spec, device=device)), self.scheduler
            ),
            lambda: [each.version for each in self.slot.held],
        )
        self.requested = RequestedSongs(database, lambda: self.slot.database_reachable)
        self.library = Library(database, lambda: self.slot.database_reachable)
        self.comparisons = ComparisonLog(database, self.heartbeat.server)
        candidate = CandidateProcess(registry, settings, torch.get_num_threads())
        self.shadow = Shadow(candidate, self.comparisons, self.traffic)
        self.matching = LiveMatching(self.requested, self.shadow, self.comparisons, settings.rerank_seconds)
        self.metrics.add(ServiceState(self.scheduler, self.slot, self.traffic, self.comparisons))

    def __enter__(self) -> Self:
        # Matching's small products, in many threads at once: each with helpers for every core waits for the others'.
        threadpool_limits(limits=1, user_api="blas")
        self.keyring.start()
        self.scheduler.start()
        self.heartbeat.start()
        self.slot.start()
        self.shadow.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.requested.close()
        self.library.threads.close()
        self.shadow.stop()
        self.slot.stop()
        self.scheduler.stop()
        self.heartbeat.stop()
        self.keyring.stop()
        if self.traces is not None:
            self.traces.stop()

    def _load_served(self, spec: EmbedderSpec) -> ServedEncoder:
        encoder = self._timed(lambda: _in_a_thread_of_its_own(self._load, spec))
        return ServedEncoder(encoder, self.scheduler, partial(self.metrics.tokenized, encoder))

    def _timed(self, load: Callable[[], Model]) -> Model:
        begun, failed = time.perf_counter(), True
        try:
            model = load()
            failed = False
        finally:
            self.metrics.loaded(time.perf_counter() - begun, failed=failed)
        return model

    def _batch_done(self, done: BatchDone) -> None:
        self.readiness.note(done)
        self.metrics.batch(done)

    def _name(self, model: TokenModel) -> tuple[str, str]:
        """The version that a model belongs to, the live one first, and which part of it the model is."""
        artifact = getattr(getattr(model, "spec", None), "artifact", None)
        live = self.slot.answering
        for each in (*([live] if live else ()), *self.slot.held):
            for part, spec in each.version.spec:
                if artifact is not None and getattr(spec, "artifact", None) == artifact:
                    return each.version.version, part
        return "", "other"

    def _reranker_of(self, version: ModelVersion) -> Lazily[PairReader] | None:
        """A version's reranker, which begins to be loaded now: whoever asks for it first should not find it missing."""
        spec, template = version.spec.reranker, version.spec.text_template
        if spec is None:
            return None
        reranker: Lazily[PairReader] = Lazily(
            f"The reranker of {version.version}",
            lambda: ServedReranker(self._timed(lambda: self._load_reranker(spec, template)), self.scheduler),
        )
        reranker.begin()
        return reranker

    def _emotions_of(self, version: ModelVersion) -> Callable[[], EmotionReader] | None:
        """The emotion model of a version that matches by emotions, which begins to be loaded now."""
        if version.spec.matched_emotions is None:
            return None
        emotions = self.emotions.of(version)
        emotions.begin()
        return emotions.wait


def _has_room(artifacts: ArtifactStore, version: ModelVersion) -> bool:
    parts = (version.spec.embedder, version.spec.reranker, version.spec.matched_emotions)
    held = [part.artifact for part in parts if part is not None]
    needed = sum(map(artifacts.size, held)) * _MEMORY_FOR_EACH_BYTE
    return bool(psutil.virtual_memory().available - needed > _MEMORY_LEFT)


def _in_a_thread_of_its_own(load: Callable[[EmbedderSpec], Encoder], spec: EmbedderSpec) -> Encoder:
    """A thread that has multiplied keeps helper threads, which slow the scheduler's down: these end with it."""
    with ThreadPoolExecutor(1, "loading") as thread:
        return thread.submit(load, spec).result()
