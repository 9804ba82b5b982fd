"""The version that answers, followed without a restart, and those that may answer soon, held ready.

A request takes what the slot holds when it begins and keeps that to its end; the slot changes hands only when the next
version is loaded, warm and has its playlists.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from registry import parallel_runs, pointer, servers, versions
from registry.database import Connection, Database
from registry.errors import AutosortError, DatabaseUnavailable, NotFound, Refused
from registry.parallel_runs import ParallelRun
from registry.pointer import Pointer
from registry.stages import SERVABLE
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion
from serving.disclosure import disclosed, unreachable
from serving.matching.matcher import Answering
from serving.settings import ALL_TIERS, Tier
from serving.versions.preparation import Preparation, Wanted
from serving.versions.warm_versions import EmotionsOf, LoadEncoder, RerankerOf, WarmVersions

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0
"""A look at the pointer takes milliseconds; one that waits for so long waits for a database that is away."""

_PINNED_SECONDS = 600.0
_MOST_PINNED = 2


@dataclass(frozen=True)
class Standing:
    """What requests that begin now are answered by.

    Attributes:
        live: None while no version is live.
        run: a parallel run that is on; `candidate` is its candidate, once that is ready to answer.
    """

    live: Answering | None = None
    run: ParallelRun | None = None
    candidate: Answering | None = None


@dataclass(frozen=True)
class _Look:
    """What the database says at one moment."""

    generation: int
    live: Wanted | None
    others: tuple[Wanted, ...]
    run: ParallelRun | None


class VersionSlot:
    """Holds what answers now, tells so, and, in threads of its own, follows the live pointer.

    Args:
        load_encoder: loads the encoder of a version, or raises.
        on_change: told when what this server answers with, or holds ready, has changed.
        can_hold: whether there is memory for one more version, beside the live one.
        reranker_of: gives a version's reranker, if it has one.
        emotions_of: gives a version's emotion model, if it matches by emotions.
        tiers: that versions are to match by.
    """

    def __init__(
        self,
        database: Database,
        load_encoder: LoadEncoder,
        *,
        poll_seconds: float,
        on_change: Callable[[], None] = lambda: None,
        can_hold: Callable[[ModelVersion], bool] = lambda _: True,
        reranker_of: RerankerOf = lambda _: None,
        emotions_of: EmotionsOf = lambda _: None,
        tiers: Collection[Tier] = ALL_TIERS,
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._on_change = on_change
        self._warm = WarmVersions(database, load_encoder, reranker_of, tiers, emotions_of)
        self._preparation = Preparation(self._warm, can_hold, on_change)
        self._pinned: dict[str, float] = {}
        self._standing = Standing()
        self._problem: str | None = None
        self._database_lost = False
        self._looking_since = math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="version-slot", daemon=True)

    @property
    def standing(self) -> Standing:
        """What a request that begins now is answered by."""
        return self._standing

    @property
    def answering(self) -> Answering | None:
        """The live version, as far as this server follows; `None` while no version is live."""
        return self._standing.live

    @property
    def held(self) -> list[Answering]:
        """All versions that this server holds ready."""
        return self._warm.held

    @property
    def problem(self) -> str | None:
        """Why the slot could not follow the pointer at the last look, if it could not; fit for clients."""
        return self._problem if self.database_reachable else str(unreachable())

    @property
    def database_reachable(self) -> bool:
        """Whether the last look at the database found it, and none has been waiting for it since."""
        return not self._database_lost and time.monotonic() - self._looking_since < _PATIENCE_SECONDS

    def report(self) -> servers.Standing:
        """How this server stands, for whoever means to move the pointer."""
        live = self._standing.live
        version, generation = (live.version.version, live.generation) if live else (None, None)
        return servers.Standing(version, generation, self._warm.names, self._problem or self._preparation.problem)

    def start(self) -> None:
        """Load the live version, if there is one, and begin to follow the pointer."""
        self.follow()
        self._preparation.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()
        self._preparation.stop()
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
            told, self._problem = self._problem, problem
            if problem != told:
                self._on_change()

    def prepare(self) -> None:
        """Bring what may answer soon into memory, now and in this thread."""
        self._preparation.prepare()

    def pinned(self, name: str) -> Answering:
        """A version that a request asks for by its name; one that is not held is loaded first.

        Raises:
            NotFound: there is no such version.
            Refused: it cannot serve, or there is no memory for it.
            DatabaseUnavailable: it is not held, and the database cannot be asked.
        """
        live = self._standing.live
        if live is not None and live.version.version == name:
            return live
        held = self._warm.find(name) or self._load_pinned(name)
        self._pinned[name] = time.monotonic()
        return replace(held, generation=live.generation if live else 0)

    def registered(self) -> tuple[Pointer, list[ModelVersion]]:
        """The live pointer and all versions, as the database has them.

        Raises:
            DatabaseUnavailable: it cannot be asked.
        """
        with self._database.transaction() as connection:
            return pointer.read(connection), versions.list_all(connection)

    def _load_pinned(self, name: str) -> Answering:
        if not self.database_reachable:
            raise unreachable()
        with self._database.transaction() as connection:
            version = versions.get(connection, name)
            if version.stage not in SERVABLE:
                raise Refused(f"{name} is {version.stage} and cannot serve.", "Ask for one that is ready or retained.")
            wanted = _wanted(connection, version)
        return self._preparation.bring(wanted)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self.follow()

    def _follow(self) -> None:
        look = self._look()
        if look.live is not None:
            live = self._taken(look.live, look.generation)
            candidate = self._candidate(look.run, live)
            self._standing = Standing(live, look.run if candidate else None, candidate)
        self._preparation.want(look.live, look.others)

    def _taken(self, wanted: Wanted, generation: int) -> Answering:
        """The live version; the same object as before if nothing has changed."""
        before = self._standing.live
        held = self._warm.bring(wanted.version, wanted.profiles_revision)
        if before is not None and before.index is held.index and before.generation == generation:
            return before
        if before is None or before.generation != generation:
            _log.info("Answering with %s, generation %d", wanted.name, generation)
            self._on_change()
        return replace(held, generation=generation)

    def _candidate(self, run: ParallelRun | None, live: Answering) -> Answering | None:
        if run is None or run.live != live.version.version:
            return None
        held = self._warm.find(run.candidate)
        return replace(held, generation=live.generation) if held else None

    def _look(self) -> _Look:
        self._looking_since, lost = time.monotonic(), False
        try:
            with self._database.transaction() as connection:
                return self._read(connection)
        except DatabaseUnavailable:
            lost = True
            raise
        finally:
            self._database_lost, self._looking_since = lost, math.inf

    def _read(self, connection: Connection) -> _Look:
        present = pointer.read(connection)
        run = parallel_runs.find_open(connection)
        soon = (present.preparing, run.candidate if run else None, present.candidate, present.previous, *self._pins())
        others = dict.fromkeys(name for name in soon if name is not None and name != present.live)
        return _Look(
            present.generation,
            _wanted(connection, versions.get(connection, present.live)) if present.live else None,
            tuple(wanted for name in others if (wanted := _find_wanted(connection, name))),
            run,
        )

    def _pins(self) -> list[str]:
        """The versions that requests asked for of late, the last one first."""
        since = time.monotonic() - _PINNED_SECONDS
        asked = sorted(((at, name) for name, at in tuple(self._pinned.items()) if at > since), reverse=True)
        return [name for _, name in asked[:_MOST_PINNED]]


def _wanted(connection: Connection, version: ModelVersion) -> Wanted:
    state = VectorSet(version).state(connection)
    return Wanted(version, state.profiles_revision if state else 0)


def _find_wanted(connection: Connection, name: str) -> Wanted | None:
    """A version that could serve."""
    try:
        version = versions.get(connection, name)
    except NotFound:
        return None
    return _wanted(connection, version) if version.stage in SERVABLE else None
