"""Bringing versions into memory before they are asked for, beside the answering of requests."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from registry.errors import AutosortError, Refused
from registry.versions import ModelVersion
from serving.disclosure import disclosed
from serving.matching.matcher import Answering
from serving.versions.warm_versions import WarmVersions

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 10.0
"""What could not be brought is tried again after so long: verifying a large model takes seconds."""


@dataclass(frozen=True)
class Wanted:
    """A version to be held, with its playlists as of a revision."""

    version: ModelVersion
    profiles_revision: int

    @property
    def name(self) -> str:
        return self.version.version


class Preparation:
    """Holds ready, in a thread of its own, the versions that are wanted, and lets the others go.

    Args:
        can_hold: whether there is memory for one more version.
        on_change: told when another version is held, or cannot be.
    """

    def __init__(
        self, warm: WarmVersions, can_hold: Callable[[ModelVersion], bool], on_change: Callable[[], None]
    ) -> None:
        self._warm = warm
        self._can_hold = can_hold
        self._on_change = on_change
        self._live: str | None = None
        self._others: Sequence[Wanted] = ()
        self._problems: dict[str, str] = {}
        self._failed_at: dict[str, float] = {}
        self._due = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="preparation", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why a version that is wanted cannot be held, if one cannot; fit for clients."""
        return next((f"{name} cannot be held ready: {why}" for name, why in sorted(self._problems.items())), None)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being loaded."""
        self._stopping = True
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def want(self, live: Wanted | None, others: Sequence[Wanted]) -> None:
        """Hold the live version, which somebody else brings, and others, the most important first."""
        self._live, self._others = live.name if live else None, others
        self._due.set()

    def bring(self, wanted: Wanted) -> Answering:
        """Hold one version and return it.

        Raises:
            Refused: there is no memory for it.
            ArtifactError: its model is missing, unsafe or changed.
            NotFound: it has no whole set of vectors.
        """
        if self._warm.find(wanted.name) is None and not self._can_hold(wanted.version):
            raise Refused(f"There is no memory for {wanted.name} beside what is held.", "Give the server more of it.")
        return self._warm.bring(wanted.version, wanted.profiles_revision)

    def prepare(self) -> None:
        """Bring what is wanted, and let go what is not."""
        live, others = self._live, self._others
        before = (self._warm.names, self.problem)
        self._warm.keep({wanted.name for wanted in others} | ({live} if live else set()))
        self._problems = {name: why for name, why in self._problems.items() if name in {each.name for each in others}}
        for wanted in others:
            if not self._stopping:
                self._try(wanted)
        if before != (self._warm.names, self.problem):
            self._on_change()

    def _try(self, wanted: Wanted) -> None:
        failed_at = self._failed_at.get(wanted.name)
        if failed_at is not None and time.monotonic() - failed_at < _AGAIN_SECONDS:
            return
        try:
            self.bring(wanted)
            self._problems.pop(wanted.name, None)
            self._failed_at.pop(wanted.name, None)
        except Exception as error:  # noqa: BLE001 - serving must not depend on it
            problem = str(disclosed(error))
            if problem != self._problems.get(wanted.name):
                foreseen = isinstance(error, AutosortError)
                _log.warning("%s cannot be held ready: %s", wanted.name, error, exc_info=not foreseen)
            self._problems[wanted.name], self._failed_at[wanted.name] = problem, time.monotonic()

    def _run(self) -> None:
        while not self._stopping:
            self._due.wait()
            self._due.clear()
            if not self._stopping:
                self.prepare()
