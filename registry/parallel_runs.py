"""Parallel runs: a candidate and the live version on the same requests, and what either answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from registry.database import Connection
from registry.errors import Refused
from registry.queries import load_queries

_SQL = load_queries("parallel_runs")


class Kind(StrEnum):
    """Where the songs of a run come from: live requests, or a file or the catalogue, replayed."""

    LIVE = "live"
    REPLAY = "replay"


@dataclass(frozen=True)
class ParallelRun:
    """A candidate beside the live version.

    Attributes:
        generation: of the live pointer while it is on.
        sample: share of the live requests that both are to answer.
        canary: share of the users whom the candidate answers for real.
    """

    run_id: int
    kind: Kind
    candidate: str
    live: str
    generation: int
    sample: float
    canary: float
    actor: str
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ParallelRun":
        return cls(**{**row, "kind": Kind(row["kind"])})


@dataclass(frozen=True)
class ComparedRequest:
    """How long either version took over one request, in seconds, and whether it failed.

    There is no time of one that failed, nor of one that remembered its answer.
    """

    at: datetime
    live_seconds: float | None
    candidate_seconds: float | None
    live_failed: bool
    candidate_failed: bool


@dataclass(frozen=True)
class ComparedSong:
    """What either version answered for a song: ids of playlists, best first; and how alike that is.

    Attributes:
        song_id: None for a song that is not in the catalogue.
        playlist_type: of the playlist that the live version puts first.
        overlap: share of the playlists that both have among their first five.
        first_changed: whether another playlist comes first.
        shown: what an interleaved answer showed, and by whom each was put there.
    """

    at: datetime
    song_id: str | None
    user_name: str | None
    genre: str | None
    playlist_type: str | None
    live_list: list[str]
    candidate_list: list[str]
    overlap: float
    rank_biased_overlap: float
    first_changed: bool
    shown: list[str] | None = None
    shown_by_candidate: list[bool] | None = None


@dataclass(frozen=True)
class SampledRequests:
    """Of the requests that were seen, how many were chosen to be compared, and how many of those dropped under load."""

    seen: int = 0
    sampled: int = 0
    dropped: int = 0

    def __add__(self, other: "SampledRequests") -> "SampledRequests":
        return SampledRequests(self.seen + other.seen, self.sampled + other.sampled, self.dropped + other.dropped)


def start(
    connection: Connection, kind: Kind, candidate: str, live: str, *, sample: float, canary: float, actor: str
) -> ParallelRun:
    """Open a run.

    Raises:
        Refused: a run on live requests is open already.
    """
    if kind is Kind.LIVE and (present := find_open(connection)):
        raise Refused(
            f"{present.candidate} is compared with {present.live} since {present.started_at:%Y-%m-%d %H:%M:%S}.",
            "One parallel run at a time: `autosort compare stop` ends it.",
        )
    about = {"kind": kind, "candidate": candidate, "live": live, "sample": sample, "canary": canary, "actor": actor}
    row = connection.execute(_SQL["start"], about).fetchone()
    assert row is not None  # noqa: S101 - an insertion returns its row
    return ParallelRun.from_row(row)


def find_open(connection: Connection) -> ParallelRun | None:
    """The run that servers take part in, if there is one."""
    row = connection.execute(_SQL["find_open"]).fetchone()
    return ParallelRun.from_row(row) if row else None


def end_open(connection: Connection) -> ParallelRun | None:
    """End the run that servers take part in, and return it."""
    row = connection.execute(_SQL["end_open"]).fetchone()
    return ParallelRun.from_row(row) if row else None


def end(connection: Connection, run_id: int) -> None:
    """End a run."""
    connection.execute(_SQL["end"], {"run_id": run_id})


def latest(connection: Connection, candidate: str, live: str) -> dict[Kind, ParallelRun]:
    """Of each kind the latest run of two versions that compared anything."""
    rows = connection.execute(_SQL["latest"], {"candidate": candidate, "live": live})
    return {run.kind: run for run in map(ParallelRun.from_row, rows)}


def latest_opponent(connection: Connection, candidate: str) -> str | None:
    """The version that a candidate was last compared with."""
    row = connection.execute(_SQL["latest_live"], {"candidate": candidate}).fetchone()
    return str(row["live"]) if row else None


def record(
    connection: Connection, run_id: int, requests: Iterable[ComparedRequest], songs: Iterable[ComparedSong]
) -> None:
    """Write down what both versions answered."""
    for query, rows in (("copy_requests", requests), ("copy_songs", songs)):
        with connection.cursor() as cursor, cursor.copy(_SQL[query]) as copy:
            for row in rows:
                copy.write_row((run_id, *astuple(row)))


def count(connection: Connection, run_id: int, server: str, counted: SampledRequests) -> None:
    """Add to what a server has seen of a run."""
    about = {"seen": counted.seen, "sampled": counted.sampled, "dropped": counted.dropped}
    connection.execute(_SQL["add_counts"], {"run_id": run_id, "server": server, **about})


def add_users(connection: Connection, run_id: int, users: Mapping[bytes, bool]) -> None:
    """Write down users, by a hash of each, and whether the candidate answers them; known ones change nothing."""
    ordered = sorted(users)
    about = {"keys": ordered, "canary": [users[each] for each in ordered]}
    connection.execute(_SQL["add_users"], {"run_id": run_id, **about})


def song_figures(connection: Connection, run_id: int) -> list[dict[str, Any]]:
    """How alike the answers are, over all songs first, then by genre and by type of playlist: means and variances."""
    return connection.execute(_SQL["song_figures"], {"run_id": run_id}).fetchall()


def request_figures(connection: Connection, run_id: int) -> dict[str, Any]:
    """Times in seconds (p50, p99) of requests that have both, mean and variance of their log ratio, and failures."""
    return connection.execute(_SQL["request_figures"], {"run_id": run_id}).fetchone() or {}


def sampling(connection: Connection, run_id: int) -> SampledRequests:
    """What all servers have seen of a run."""
    row = connection.execute(_SQL["sampling_figures"], {"run_id": run_id}).fetchone()
    return SampledRequests(**(row or {}))


def canary_users(connection: Connection, run_id: int) -> tuple[int, int]:
    """How many of the users seen the candidate answers, and how many were seen."""
    row = connection.execute(_SQL["canary_figures"], {"run_id": run_id}).fetchone() or {"canary": 0, "users": 0}
    return row["canary"], row["users"]


def feedback_after(connection: Connection, run_id: int) -> Sequence[Mapping[str, Any]]:
    """What users said of songs after both versions had answered them, each with the latest answers before it."""
    return connection.execute(_SQL["feedback_after"], {"run_id": run_id}).fetchall()


def feedback_during(connection: Connection, run_id: int) -> Sequence[Mapping[str, Any]]:
    """Who gave which verdict while a run was on."""
    return connection.execute(_SQL["feedback_during"], {"run_id": run_id}).fetchall()
