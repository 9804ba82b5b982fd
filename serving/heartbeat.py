"""A server's sign of life: which version it answers with, for whoever means to retire one or waits for a move."""

import logging
import secrets
import socket
import threading
from collections.abc import Callable

from registry import servers
from registry.database import Database
from serving.matcher import Answering

_log = logging.getLogger(__name__)

_BEAT_SECONDS = 2.0


class Heartbeat:
    """Writes down what a server answers with, every 2 seconds and whenever that changes.

    It has a thread of its own, because loading a model may take longer than a server may be silent. Whatever goes wrong
    here is logged, and disturbs nothing.
    """

    def __init__(self, database: Database, answering: Callable[[], Answering | None]) -> None:
        self.server = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._database = database
        self._answering = answering
        self._due = threading.Event()
        self._stopping = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat, at once."""
        self._thread.start()

    def changed(self) -> None:
        """Beat now: what the server answers with is another."""
        self._due.set()

    def stop(self) -> None:
        """Beat no more, and take the server off the list."""
        self._stopping = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._try(self._beat)
            self._due.wait(_BEAT_SECONDS)
            self._due.clear()
        if not self._failing:  # else the database is away, and nobody should have to wait for it
            self._try(self._forget)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
            self._failing = False
        except Exception as error:  # noqa: BLE001 - serving must not depend on it
            if not self._failing:
                _log.warning("The heartbeat cannot be written, serving goes on: %s", error)
            self._failing = True

    def _beat(self) -> None:
        held = self._answering()
        version, generation = (held.version.version, held.generation) if held else (None, None)
        with self._database.transaction() as connection:
            servers.beat(connection, self.server, version, generation)

    def _forget(self) -> None:
        with self._database.transaction() as connection:
            servers.forget(connection, self.server)
