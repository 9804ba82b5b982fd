"""Who asks: the keys held in memory, so that no request waits for the database, and looked at twice a second.

While the database is away the keys that were held go on; whether one was revoked meanwhile cannot be known.
"""

import hashlib
import hmac
import logging
import threading
from dataclasses import dataclass

from registry import api_keys
from registry.api_keys import Role
from registry.database import Connection, Database
from registry.errors import AutosortError
from serving.settings import Auth

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_LONGEST_KEY = 256
"""Bytes of what is shown as a key that are looked at: no key is so long, and hashing more would take longer."""


@dataclass(frozen=True)
class Caller:
    """Who asks, as far as the key tells, and what they may do."""

    name: str | None
    role: Role


ANYBODY = Caller(None, Role.ADMIN)
"""Whoever asks a service that needs no keys."""


@dataclass(frozen=True)
class _Held:
    digest: bytes
    caller: Caller


class Keyring:
    """The keys that are accepted, followed by a thread of its own."""

    def __init__(self, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth
        self._held: tuple[_Held, ...] = ()
        self._were_any = True  # until the first look says otherwise: a server that could not look lets nobody in
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keyring", daemon=True)

    @property
    def demands_key(self) -> bool:
        """Whether requests need a key. By "auto" also after the last one was revoked: that must open no door."""
        return self._auth == "required" or (self._auth == "auto" and self._were_any)

    def caller(self, shown: bytes) -> Caller | None:
        """Whose key this is, if it is one. All keys are compared, whichever it is, and also if nothing is shown."""
        digest = hashlib.sha256(shown[:_LONGEST_KEY]).digest()
        found: Caller | None = None
        for held in self._held:
            if hmac.compare_digest(held.digest, digest):
                found = held.caller
        return found

    def start(self) -> None:
        """Look once, and begin to follow."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Follow no more."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """See which keys there are; if that fails, those that were held go on."""
        try:
            with self._database.transaction() as connection:
                self._take(connection)
            self._failing = False
        except AutosortError as error:
            if not self._failing:
                _log.warning("The keys cannot be looked at, those that were held go on: %s", error)
            self._failing = True

    def _take(self, connection: Connection) -> None:
        known = api_keys.list_all(connection)
        self._held = tuple(_Held(each.digest, Caller(each.name, each.role)) for each in known if not each.revoked_at)
        self._were_any = bool(known)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self.look()
