"""What a parallel run has found so far, with bounds that hold however often one looks. Pure but for `read`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lifecycle.parallel.agreement import Duels, by_interleaving, by_rank
from lifecycle.parallel.sequential import Bounds, mean_bounds, share_bounds, share_p_value
from registry import parallel_runs, traffic
from registry.database import Connection
from registry.parallel_runs import Kind, ParallelRun, SampledRequests
from registry.records import Verdict
from registry.traffic import Served
from serving.parallel.canary import in_canary

MISMATCH = 0.001
"""A share of requests or users as far from the configured one as this is a fault, not chance."""


@dataclass(frozen=True)
class Likeness:
    """How alike the answers to some songs are: means, with bounds.

    Attributes:
        overlap: share of the first five playlists that both have.
        first_changed: share of the songs for which another playlist comes first.
    """

    n: int
    overlap: float
    overlap_bounds: Bounds
    rank_biased_overlap: float
    rank_biased_overlap_bounds: Bounds
    first_changed: float
    first_changed_bounds: Bounds

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Likeness":
        values: dict[str, Any] = {}
        for name in ("overlap", "rank_biased_overlap", "first_changed"):
            mean, variance = float(row[name]), float(row[f"{name}_variance"])
            found = mean_bounds(row["n"], mean, variance)
            values |= {name: mean, f"{name}_bounds": Bounds(max(found.low, 0.0), min(found.high, 1.0))}
        return cls(row["n"], **values)


@dataclass(frozen=True)
class Speed:
    """How long either version took: p50 and p99 in seconds; `ratio` is the geometric mean of candidate to live."""

    n: int
    live: tuple[float, float]
    candidate: tuple[float, float]
    ratio: float
    ratio_bounds: Bounds


@dataclass(frozen=True)
class Failures:
    """Requests that either version failed to answer."""

    n: int
    live: int
    candidate: int

    @property
    def more(self) -> float:
        """By how much larger a share of the requests the candidate failed."""
        return (self.candidate - self.live) / self.n if self.n else 0.0


@dataclass(frozen=True)
class Preference:
    """Whether users prefer the candidate: its share of the feedback that prefers either, and p of an even share."""

    duels: Duels
    share: float | None
    bounds: Bounds
    p: float

    @classmethod
    def of(cls, duels: Duels) -> "Preference":
        won, decided = duels.won, duels.decided
        share = won / decided if decided else None
        return cls(duels, share, share_bounds(won, decided), share_p_value(won, decided, 0.5))


@dataclass(frozen=True)
class Sampling:
    """Whether as many were chosen as should be: if not, something is wrong with the run and its figures."""

    configured: float
    chosen: int
    seen: int
    p: float

    @property
    def sound(self) -> bool:
        return self.p >= MISMATCH

    @classmethod
    def of(cls, configured: float, chosen: int, seen: int) -> "Sampling":
        return cls(configured, chosen, seen, share_p_value(chosen, seen, configured) if seen else 1.0)


@dataclass(frozen=True)
class Canary:
    """What became of the users whom the candidate answered for real, and of the others.

    Attributes:
        users: the canary share, as configured and as seen.
        served: requests and failures of the candidate and of the live version while the candidate was on.
        rejected: of either's users, how many judgements were rejections, of how many.
    """

    users: Sampling
    served: tuple[Served, Served]
    rejected: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Findings:
    """All that a run has found."""

    run: ParallelRun
    requests: SampledRequests
    likeness: Likeness | None
    genres: Mapping[str, Likeness]
    types: Mapping[str, Likeness]
    speed: Speed | None
    failures: Failures
    agreement: Preference
    interleaving: Preference
    sampling: Sampling
    canary: Canary | None

    @property
    def sound(self) -> bool:
        """Whether the shares are what they should be."""
        return self.sampling.sound and (self.canary is None or self.canary.users.sound)

    def as_json(self) -> dict[str, Any]:
        """The findings as a JSON object."""
        run = {**asdict(self.run), "kind": self.run.kind.value, "started_at": self.run.started_at.isoformat()}
        run["ended_at"] = self.run.ended_at.isoformat() if self.run.ended_at else None
        document: dict[str, Any] = _finite(
            {
                "run": run,
                "requests": {**asdict(self.requests), "compared": self.failures.n},
                "likeness": asdict(self.likeness) if self.likeness else None,
                "genres": {name: asdict(each) for name, each in self.genres.items()},
                "playlist_types": {name: asdict(each) for name, each in self.types.items()},
                "seconds": asdict(self.speed) if self.speed else None,
                "failures": asdict(self.failures),
                "agreement": asdict(self.agreement),
                "interleaving": asdict(self.interleaving),
                "sampling": {**asdict(self.sampling), "sound": self.sampling.sound},
                "canary": _canary_json(self.canary) if self.canary else None,
            }
        )
        return document


def read(connection: Connection, run: ParallelRun) -> Findings:
    """What the database holds of a run."""
    songs = parallel_runs.song_figures(connection, run.run_id)
    requests = parallel_runs.request_figures(connection, run.run_id)
    counted = parallel_runs.sampling(connection, run.run_id)
    feedback = parallel_runs.feedback_after(connection, run.run_id)
    return Findings(
        run=run,
        requests=counted,
        likeness=next((Likeness.from_row(row) for row in songs if not row["genre"] and not row["playlist_type"]), None),
        genres={row["genre"]: Likeness.from_row(row) for row in songs if row["genre"]},
        types={row["playlist_type"]: Likeness.from_row(row) for row in songs if row["playlist_type"]},
        speed=_speed(requests),
        failures=Failures(requests["n"], requests["live_failed"], requests["candidate_failed"]),
        agreement=Preference.of(by_rank(feedback)),
        interleaving=Preference.of(by_interleaving(feedback)),
        sampling=Sampling.of(run.sample, counted.sampled, counted.seen),
        canary=_canary(connection, run) if run.canary else None,
    )


def latest(connection: Connection, candidate: str, live: str) -> dict[Kind, Findings]:
    """What the latest runs of two versions found, on live requests and by replaying."""
    runs = parallel_runs.latest(connection, candidate, live)
    return {kind: read(connection, run) for kind, run in runs.items()}


def _speed(row: Mapping[str, Any]) -> Speed | None:
    if not row["timed"]:
        return None
    bounds = mean_bounds(row["timed"], row["log_ratio"], row["log_ratio_variance"])
    return Speed(
        n=row["timed"],
        live=tuple(row["live_seconds"]),
        candidate=tuple(row["candidate_seconds"]),
        ratio=math.exp(row["log_ratio"]),
        ratio_bounds=Bounds(math.exp(bounds.low), math.exp(bounds.high)),
    )


def _canary(connection: Connection, run: ParallelRun) -> Canary:
    canary, users = parallel_runs.canary_users(connection, run.run_id)
    said = parallel_runs.feedback_during(connection, run.run_id)
    arms: dict[bool, list[Mapping[str, Any]]] = {True: [], False: []}
    for each in said:
        arms[in_canary(run.run_id, each["user_name"], run.canary)].append(each)
    return Canary(
        users=Sampling.of(run.canary, canary, users),
        served=(_served(connection, run, run.candidate), _served(connection, run, run.live)),
        rejected=(_rejected(arms[True]), _rejected(arms[False])),
    )


def _served(connection: Connection, run: ParallelRun, version: str) -> Served:
    return traffic.read(connection, version, run.generation, since=run.started_at)


def _rejected(said: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    return sum(each["verdict"] != Verdict.ACCEPT for each in said), len(said)


def _canary_json(canary: Canary) -> dict[str, Any]:
    return {
        "users": {**asdict(canary.users), "sound": canary.users.sound},
        **{
            arm: {
                "requests": served.requests,
                "failed": served.failed,
                "match_p50": served.quantile("/match", 0.5),
                "match_p99": served.quantile("/match", 0.99),
                "rejected": rejected[0],
                "judgements": rejected[1],
            }
            for arm, served, rejected in zip(("candidate", "live"), canary.served, canary.rejected, strict=True)
        },
    }


def _finite(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The same without infinities, which JSON does not know, and with figures that a reader can read."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
