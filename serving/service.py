"""All that a server consists of, made, started and stopped together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

import psutil
import torch

from registry.artifacts import ArtifactStore
from registry.database import Database
from registry.settings import RegistrySettings
from registry.versions import EmbedderSpec, ModelVersion
from serving.inference.emotions import EmotionModel, ServedEmotions
from serving.inference.encoder import Encoder
from serving.inference.lazily import Lazily
from serving.inference.loading import load_encoder, load_reranker
from serving.inference.precision import chosen_device
from serving.inference.reranker import PairReader, ServedReranker
from serving.inference.scheduler import Scheduler
from serving.inference.served import ServedEncoder
from serving.matching.requested import RequestedSongs
from serving.parallel.candidate_process import CandidateProcess
from serving.parallel.comparison_log import ComparisonLog
from serving.parallel.live_matching import LiveMatching
from serving.parallel.shadow import Shadow
from serving.settings import ServingSettings
from serving.versions.heartbeat import Heartbeat
from serving.versions.held_emotions import HeldEmotions
from serving.versions.predicted import PredictedEmotions
from serving.versions.slot import VersionSlot
from serving.versions.traffic import Traffic

_MEMORY_FOR_EACH_BYTE = 2.0
"""Of a model on disk: its weights, once more in a second precision or while they are read."""

_MEMORY_LEFT = 512 * 2**20


class Service:
    """A server's parts; a context from its start to its end."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, registry: RegistrySettings, settings: ServingSettings
    ) -> None:
        self.traffic = Traffic()
        self.predicted = PredictedEmotions()
        self.heartbeat = Heartbeat(database, self.traffic, lambda: self.slot.report(), self.predicted)  # noqa: PLW0108 - the slot is made below
        device = chosen_device(settings.device)
        self.scheduler = Scheduler.for_device(device)
        self._load = partial(load_encoder, database, artifacts, settings)
        self._load_reranker = partial(load_reranker, database, artifacts, settings)
        self.slot = VersionSlot(
            database,
            lambda spec: ServedEncoder(_in_a_thread_of_its_own(self._load, spec), self.scheduler),
            poll_seconds=settings.poll_seconds,
            on_change=self.heartbeat.changed,
            can_hold=lambda version: _has_room(artifacts, version),
            reranker_of=self._reranker_of,
        )
        self.emotions = HeldEmotions(
            lambda spec: ServedEmotions(EmotionModel.load(artifacts, spec, device=device), self.scheduler),
            lambda: [each.version for each in self.slot.held],
        )
        self.requested = RequestedSongs(database, lambda: self.slot.database_reachable)
        self.comparisons = ComparisonLog(database, self.heartbeat.server)
        candidate = CandidateProcess(registry, settings, torch.get_num_threads())
        self.shadow = Shadow(candidate, self.comparisons, self.traffic)
        self.matching = LiveMatching(self.requested, self.shadow, self.comparisons, settings.rerank_seconds)

    def __enter__(self) -> Self:
        self.scheduler.start()
        self.heartbeat.start()
        self.slot.start()
        self.shadow.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.requested.close()
        self.shadow.stop()
        self.slot.stop()
        self.scheduler.stop()
        self.heartbeat.stop()

    def _reranker_of(self, version: ModelVersion) -> Lazily[PairReader] | None:
        """A version's reranker, which begins to be loaded now: whoever asks for it first should not find it missing."""
        spec, template = version.spec.reranker, version.spec.text_template
        if spec is None:
            return None
        reranker: Lazily[PairReader] = Lazily(
            f"The reranker of {version.version}",
            lambda: ServedReranker(self._load_reranker(spec, template), self.scheduler),
        )
        reranker.begin()
        return reranker


def _has_room(artifacts: ArtifactStore, version: ModelVersion) -> bool:
    reranker = version.spec.reranker
    held = [version.spec.embedder.artifact, *([reranker.artifact] if reranker else [])]
    needed = sum(map(artifacts.size, held)) * _MEMORY_FOR_EACH_BYTE
    return bool(psutil.virtual_memory().available - needed > _MEMORY_LEFT)


def _in_a_thread_of_its_own(load: Callable[[EmbedderSpec], Encoder], spec: EmbedderSpec) -> Encoder:
    """A thread that has multiplied keeps helper threads, which slow the scheduler's down: these end with it."""
    with ThreadPoolExecutor(1, "loading") as thread:
        return thread.submit(load, spec).result()
