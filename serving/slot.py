"""The version that answers, followed without a restart.

A request takes what the slot holds when it begins and keeps that to its end; the slot changes hands only when the next
version is loaded, warm and has its playlists.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from registry import pointer, versions
from registry.database import Database
from registry.errors import AutosortError, DatabaseUnavailable
from registry.vectors.vector_set import VectorSet
from registry.versions import EmbedderSpec, ModelVersion
from serving.disclosure import disclosed, unreachable
from serving.encoder import Encoder
from serving.heartbeat import Heartbeat
from serving.matcher import Answering

_log = logging.getLogger(__name__)

_KEPT_WARM = 2
"""Encoders in memory: the live one's and the previous one's, so that a rollback needs no loading."""

_PATIENCE_SECONDS = 2.0
"""A look at the pointer takes milliseconds; one that waits for so long waits for a database that is away."""


class VersionSlot:
    """Holds what answers now, tells so, and, in a thread of its own, follows the live pointer."""

    def __init__(
        self, database: Database, load_encoder: Callable[[EmbedderSpec], Encoder], *, poll_seconds: float
    ) -> None:
        self._database = database
        self._load_encoder = load_encoder
        self._poll_seconds = poll_seconds
        self._encoders: OrderedDict[str, Encoder] = OrderedDict()
        self._answering: Answering | None = None
        self._problem: str | None = None
        self._database_lost = False
        self._looking_since = math.inf
        self._heartbeat = Heartbeat(database, lambda: self._answering)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="version-slot", daemon=True)

    @property
    def answering(self) -> Answering | None:
        """What answers a request that begins now; `None` while no version is live."""
        return self._answering

    @property
    def problem(self) -> str | None:
        """Why the slot could not follow the pointer at the last look, if it could not; fit for clients."""
        return self._problem if self.database_reachable else str(unreachable())

    @property
    def database_reachable(self) -> bool:
        """Whether the last look at the database found it, and none has been waiting for it since."""
        return not self._database_lost and time.monotonic() - self._looking_since < _PATIENCE_SECONDS

    def start(self) -> None:
        """Load the live version, if there is one, and begin to follow the pointer."""
        self._heartbeat.start()
        self.follow()
        self._thread.start()

    def stop(self) -> None:
        """Stop following; others are told that this server is gone."""
        self._stop.set()
        self._heartbeat.stop()
        self._thread.join()

    def follow(self) -> None:
        """Look at the pointer once. What cannot be loaded leaves the slot as it is: the old version goes on."""
        try:
            self._follow()
            self._problem = None
        except Exception as error:  # noqa: BLE001 - the watcher must outlive whatever a library throws
            problem = str(disclosed(error))
            if problem != self._problem:
                foreseen = isinstance(error, AutosortError)
                _log.error("The live version cannot be followed, the old one goes on: %s", error, exc_info=not foreseen)
            self._problem = problem

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self.follow()

    def _follow(self) -> None:
        live = self._look()
        if live is None:
            return
        version, generation, revision = live
        held = self._answering
        if held is None or (held.generation, held.profiles_revision) != (generation, revision):
            self._take(version, generation)

    def _look(self) -> tuple[ModelVersion, int, int] | None:
        """The live version, the pointer's generation and the revision of the version's playlists."""
        self._looking_since, lost = time.monotonic(), False
        try:
            return self._read_live()
        except DatabaseUnavailable:
            lost = True
            raise
        finally:
            self._database_lost, self._looking_since = lost, math.inf

    def _read_live(self) -> tuple[ModelVersion, int, int] | None:
        with self._database.transaction() as connection:
            present = pointer.read(connection)
            if present.live is None:
                return None
            version = versions.get(connection, present.live)
            state = VectorSet(version).state(connection)
        return version, present.generation, state.profiles_revision if state else 0

    def _take(self, version: ModelVersion, generation: int) -> None:
        encoder = self._warm(version.spec.embedder)
        with self._database.transaction() as connection:
            fresh = Answering.load(connection, version, generation, lambda: encoder)
        held = self._answering
        self._answering = fresh
        if held is None or held.generation != generation:
            self._heartbeat.changed()
            _log.info("Answering with %s, generation %d", version.version, generation)

    def _warm(self, spec: EmbedderSpec) -> Encoder:
        if spec.artifact not in self._encoders:
            self._encoders[spec.artifact] = self._load_encoder(spec)
        self._encoders.move_to_end(spec.artifact)
        while len(self._encoders) > _KEPT_WARM:
            self._encoders.popitem(last=False)
        return self._encoders[spec.artifact]
