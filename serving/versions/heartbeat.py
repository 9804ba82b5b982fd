"""A server's sign of life: how it stands and what it has served, for whoever moves the pointer or retires a version."""

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable

from registry import emotions, servers, traffic
from registry.database import Database
from registry.servers import Standing
from serving.versions.predicted import PredictedEmotions
from serving.versions.traffic import Traffic

_log = logging.getLogger(__name__)

_BEAT_SECONDS = 2.0
_FORGET_SECONDS = 3600.0


class Heartbeat:
    """Writes down how a server stands, every 2 seconds and whenever that changes, and what it has served since.

    It has a thread of its own, because loading a model may take longer than a server may be silent. Whatever goes wrong
    here is logged, and disturbs nothing.
    """

    def __init__(
        self,
        database: Database,
        traffic: Traffic,
        standing: Callable[[], Standing],
        predicted: PredictedEmotions | None = None,
    ) -> None:
        self.server = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._database = database
        self._traffic = traffic
        self._predicted = predicted or PredictedEmotions()
        self._standing = standing
        self._forgot_at = time.monotonic()
        self._due = threading.Event()
        self._stopping = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat, at once."""
        self._thread.start()

    def changed(self) -> None:
        """Beat now: how the server stands has changed."""
        self._due.set()

    def stop(self) -> None:
        """Tell the rest, beat no more, and take the server off the list."""
        self._stopping = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._try(self._beat)
            self._due.wait(_BEAT_SECONDS)
            self._due.clear()
        if not self._failing:  # else the database is away, and nobody should have to wait for it
            self._try(self._beat)
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
        counts, predicted = self._traffic.drain(), self._predicted.drain()
        try:
            with self._database.transaction() as connection:
                servers.beat(connection, self.server, self._standing())
                traffic.add(connection, counts)
                emotions.add(connection, predicted)
        except BaseException:
            self._traffic.give_back(counts)
            self._predicted.give_back(predicted)
            raise
        if time.monotonic() - self._forgot_at > _FORGET_SECONDS:
            self._forgot_at = time.monotonic()
            with self._database.transaction() as connection:
                traffic.delete_old(connection)
                emotions.delete_old(connection)

    def _forget(self) -> None:
        with self._database.transaction() as connection:
            servers.forget(connection, self.server)
