"""What parallel runs have shown, kept until the database has it."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from registry import parallel_runs
from registry.database import Database
from registry.parallel_runs import ComparedRequest, ComparedSong, SampledRequests

_FLUSH_SECONDS = 1.0
_MOST_WAITING = 20_000
_MOST_USERS = 100_000


@dataclass
class _Waiting:
    """What is to be told of one run."""

    requests: list[ComparedRequest] = field(default_factory=list)
    songs: list[ComparedSong] = field(default_factory=list)
    counted: SampledRequests = field(default_factory=SampledRequests)
    users: dict[bytes, bool] = field(default_factory=dict)


class ComparisonLog:
    """Gathers comparisons and tells the database in batches, at most once a second; any number of threads.

    While the database is away comparisons wait, 20,000 songs at most; what is beyond that is counted as dropped.

    Attributes:
        counted: requests of all runs so far.
    """

    def __init__(self, database: Database, server: str) -> None:
        self._database = database
        self._server = server
        self._lock = threading.Lock()
        self._waiting: defaultdict[int, _Waiting] = defaultdict(_Waiting)
        self._seen_users: set[tuple[int, bytes]] = set()
        self._told_at = time.monotonic()
        self.counted = SampledRequests()

    def add(self, run_id: int, request: ComparedRequest, songs: Sequence[ComparedSong]) -> None:
        """Keep a comparison."""
        with self._lock:
            waiting = self._waiting[run_id]
            if len(waiting.songs) + len(waiting.requests) >= _MOST_WAITING:
                self._count(run_id, SampledRequests(dropped=1))
                return
            waiting.requests.append(request)
            waiting.songs += songs

    def count(self, run_id: int, counted: SampledRequests) -> None:
        """Count requests of a run."""
        with self._lock:
            self._count(run_id, counted)

    def _count(self, run_id: int, counted: SampledRequests) -> None:
        self._waiting[run_id].counted += counted
        self.counted += counted

    def note_user(self, run_id: int, key: bytes, *, canary: bool) -> None:
        """Note that a user was seen, and whether the candidate answers that user."""
        with self._lock:
            if (run_id, key) in self._seen_users:
                return
            if len(self._seen_users) >= _MOST_USERS:
                self._seen_users.clear()  # told again, they change nothing
            self._seen_users.add((run_id, key))
            self._waiting[run_id].users[key] = canary

    def tell_if_due(self) -> None:
        """Tell the database what is waiting, if it was not told within the last second.

        Raises:
            DatabaseError: it could not be told; everything waits on.
        """
        if time.monotonic() - self._told_at >= _FLUSH_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Tell the database now.

        Raises:
            DatabaseError: it could not be told; everything waits on.
        """
        self._told_at = time.monotonic()
        with self._lock:
            waiting, self._waiting = self._waiting, defaultdict(_Waiting)
        if not waiting:
            return
        try:
            with self._database.transaction() as connection:
                for run_id, each in waiting.items():
                    parallel_runs.record(connection, run_id, each.requests, each.songs)
                    parallel_runs.count(connection, run_id, self._server, each.counted)
                    parallel_runs.add_users(connection, run_id, each.users)
        except BaseException:
            self._give_back(waiting)
            raise

    def _give_back(self, waiting: dict[int, _Waiting]) -> None:
        with self._lock:
            for run_id, each in waiting.items():
                newer = self._waiting[run_id]
                newer.requests[:0], newer.songs[:0] = each.requests, each.songs
                newer.counted += each.counted
                newer.users |= each.users
