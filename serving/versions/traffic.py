"""What this server does at the moment, and has done since it last told the database."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from registry.traffic import Cell, Count, Counts, bucket_of


class Traffic:
    """Counts of the requests that were answered, by version, endpoint and time taken; any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[Cell, Count] = defaultdict(Count)
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Requests that wait for their answer."""
        return self._in_flight

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request, from its first step to its last."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def note(self, version: str, generation: int, endpoint: str, seconds: float, *, failed: bool) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._counts[Cell(generation, version, endpoint, bucket_of(seconds))] += Count(1, int(failed))

    def drain(self) -> Counts:
        """What was counted since the last time: whoever takes it tells the database, or gives it back."""
        with self._lock:
            counts, self._counts = self._counts, defaultdict(Count)
        return counts

    def give_back(self, counts: Counts) -> None:
        """Count again what could not be told."""
        with self._lock:
            for cell, count in counts.items():
                self._counts[cell] += count
