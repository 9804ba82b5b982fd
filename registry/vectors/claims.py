"""Sharing the embedding of one version among any number of workers, on one machine or many.

A worker claims the next range of ids, embeds what is missing in it, and gives the claim back together with the vectors.
One that dies leaves its claims to the others: at once if it ran on the same machine, else when its lease runs out. Two
that hold the same range, because one was only slow, write the same rows: that costs time and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import psutil

from registry.database import Connection
from registry.emotion_scores import EmotionScores
from registry.queries import load_queries
from registry.stages import Stage, require_kept
from registry.vectors.records import PendingPlaylist, PendingSong
from registry.vectors.vector_set import VectorSet

_SQL = load_queries("claims")

LEASE_SECONDS = 30.0
"""After so long without a sign of life a worker counts as dead."""

Pending = TypeVar("Pending", PendingSong, PendingPlaylist)


class Kind(StrEnum):
    """What is claimed: a range of songs, to be embedded or felt, or of playlists; or the index and all after it."""

    SONGS = "songs"
    EMOTIONS = "emotions"
    PLAYLISTS = "playlists"
    FINISH = "finish"


@dataclass(frozen=True)
class Claim:
    """A range of ids, beyond `after_id` up to `last_id`, that one worker embeds."""

    claim_id: int
    kind: Kind
    after_id: str
    last_id: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Claim":
        return cls(row["claim_id"], Kind(row["kind"]), row["after_id"], row["last_id"])


@dataclass(frozen=True)
class WorkerStanding:
    """What a worker at work has done, in how many seconds."""

    version: str
    worker: str
    embedded: int
    quarantined: int
    seconds: float


class Crew:
    """The workers of one version, as one of them sees them.

    Args:
        worker: this one's name, unlike any other's.
        machine: where it runs, so that one that was killed there is known to be dead at once.
        process: its process id there.
    """

    def __init__(self, vectors: VectorSet, *, worker: str, machine: str, process: int) -> None:
        self.worker = worker
        self._vectors = vectors
        self._named = {"version": vectors.version, "worker": worker}
        self._place = {"machine": machine, "process": process}

    def join(self, connection: Connection) -> None:
        """Take part; workers that were killed on this machine are known to be dead from now on.

        Raises:
            Refused: the version was given up.
        """
        held = connection.execute(_SQL["hold_stage"], self._named).fetchone()
        if held:
            require_kept(self._vectors.version, Stage(held["stage"]))
        rows = connection.execute(_SQL["workers_here"], {**self._named, **self._place}).fetchall()
        dead = [row["worker"] for row in rows if not psutil.pid_exists(row["process"])]
        connection.execute(_SQL["forget"], {"workers": dead})
        self.beat(connection, embedded=0, quarantined=0)

    def beat(self, connection: Connection, *, embedded: int, quarantined: int) -> None:
        """Give a sign of life, and say what was done so far."""
        done = {"embedded": embedded, "quarantined": quarantined}
        connection.execute(_SQL["beat"], {**self._named, **self._place, **done})

    def leave(self, connection: Connection) -> None:
        """Take part no more; what is still claimed becomes anybody's."""
        connection.execute(_SQL["forget"], {"workers": [self.worker]})

    def begin_round(self, connection: Connection, kind: Kind) -> None:
        """Let the claims of a kind begin with the first id again, unless somebody holds one."""
        about = {**self._named, "kind": kind}
        connection.execute(_SQL["open_round"], about)
        # Locked by a statement of its own: the next then sees what a claim that was just being taken has left.
        connection.execute(_SQL["lock_round"], about)
        connection.execute(_SQL["begin_round"], about)

    def claim_songs(self, connection: Connection, *, limit: int) -> tuple[Claim, list[PendingSong]] | None:
        """The next songs to embed, or those that a dead worker left; `None` if there are none to be had."""
        return self._claim(connection, Kind.SONGS, self._vectors.pending_songs, _song_id, limit)

    def claim_emotions(
        self, connection: Connection, scores: EmotionScores, *, limit: int
    ) -> tuple[Claim, list[PendingSong]] | None:
        """The same of songs that have no current scores."""
        return self._claim(connection, Kind.EMOTIONS, scores.pending, _song_id, limit)

    def claim_playlists(self, connection: Connection, *, limit: int) -> tuple[Claim, list[PendingPlaylist]] | None:
        """The next playlists to profile, or those that a dead worker left; `None` if there are none to be had."""
        return self._claim(connection, Kind.PLAYLISTS, self._vectors.pending_playlists, _playlist_id, limit)

    def claim_finish(self, connection: Connection) -> Claim | None:
        """The right to finish the version, also if this worker has it already; `None` while another has it."""
        self._appear(connection)
        self._forget_silent(connection)
        row = connection.execute(_SQL["claim_finish"], self._named).fetchone()
        return Claim.from_row(row) if row else None

    def release(self, connection: Connection, claims: Sequence[Claim]) -> None:
        """Give claims back, done."""
        connection.execute(_SQL["release"], {**self._named, "claims": [each.claim_id for each in claims]})

    def let_go(self, connection: Connection, kind: Kind) -> None:
        """Leave to anybody what the books say this worker holds of a kind, for one that holds none to its knowledge.

        A database that goes away just after a claim was committed never tells whose it is.
        """
        connection.execute(_SQL["let_go"], {**self._named, "kind": kind})

    def open_claims(self, connection: Connection, kind: Kind) -> int:
        """How many claims of a kind are held by anybody, or wait for somebody."""
        self._forget_silent(connection)
        row = connection.execute(_SQL["open_claims"], {**self._named, "kind": kind}).fetchone()
        return int(row["claims"]) if row else 0

    def _claim(
        self,
        connection: Connection,
        kind: Kind,
        read: Callable[..., list[Pending]],
        identify: Callable[[Pending], str],
        limit: int,
    ) -> tuple[Claim, list[Pending]] | None:
        about = {**self._named, "kind": kind}
        position = (connection.execute(_SQL["lock_round"], about).fetchone() or {"position": ""})["position"]
        self._appear(connection)
        self._forget_silent(connection)
        while row := connection.execute(_SQL["take_over"], about).fetchone():
            left = Claim.from_row(row)
            if pending := read(connection, after=left.after_id, until=left.last_id, limit=None):
                return left, pending
            self.release(connection, [left])
        pending = read(connection, after=position, until=None, limit=limit)
        if not pending:
            return None
        last = identify(pending[-1])
        row = connection.execute(_SQL["claim"], {**about, "after_id": position, "last_id": last}).fetchone()
        connection.execute(_SQL["advance_round"], {**about, "position": last})
        return (Claim.from_row(row), pending) if row else None

    def _appear(self, connection: Connection) -> None:
        """Claiming is a sign of life too; whoever was thought dead meanwhile, being asleep, is at work again."""
        connection.execute(_SQL["appear"], {**self._named, **self._place})

    def _forget_silent(self, connection: Connection) -> None:
        connection.execute(_SQL["forget_silent"], {**self._named, "lease": LEASE_SECONDS})


def list_workers(connection: Connection) -> list[WorkerStanding]:
    """Who embeds at this moment, for whichever version, the longest at it first."""
    rows = connection.execute(_SQL["list_workers"], {"lease": LEASE_SECONDS})
    return [WorkerStanding(**row) for row in rows]


def _song_id(pending: PendingSong) -> str:
    return pending.song.song_id


def _playlist_id(pending: PendingPlaylist) -> str:
    return pending.playlist.playlist_id
