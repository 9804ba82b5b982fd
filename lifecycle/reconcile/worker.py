"""One of the workers of a version: the name of the one that this process is, and its sign of life."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from registry.database import Database
from registry.errors import AutosortError
from registry.vectors.claims import LEASE_SECONDS, Crew
from registry.vectors.vector_set import VectorSet

_BEAT_SECONDS = LEASE_SECONDS / 6

Done = Callable[[], tuple[int, int]]
"""How many songs this worker has embedded and quarantined so far."""


@contextmanager
def at_work(database: Database, vectors: VectorSet, done: Done) -> Iterator[Crew]:
    """Take part in embedding a version while the context lasts.

    At its end, whatever ended it, this worker's claims are anybody's; a killed one's are so for the next worker on this
    machine at once, for others when the lease runs out.
    """
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    crew = Crew(vectors, worker=name, machine=this_machine(), process=os.getpid())
    database.persist(crew.join)
    stop = threading.Event()
    beating = threading.Thread(target=_beat, args=(database, crew, done, stop), name="sign-of-life", daemon=True)
    beating.start()
    try:
        yield crew
    finally:
        stop.set()
        beating.join()
        with suppress(AutosortError), database.transaction() as connection:
            crew.leave(connection)


def this_machine() -> str:
    """What process ids mean here: the machine since it started, and, in a container, the container."""
    places = [socket.gethostname()]
    with suppress(OSError):
        places.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        places.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(places)


def _beat(database: Database, crew: Crew, done: Done, stop: threading.Event) -> None:
    while not stop.wait(_BEAT_SECONDS):
        embedded, quarantined = done()
        # A database that is away is told by whoever needs it; it may be back before the lease runs out.
        with suppress(AutosortError), database.transaction() as connection:
            crew.beat(connection, embedded=embedded, quarantined=quarantined)
