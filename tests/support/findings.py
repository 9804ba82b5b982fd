"""Made-up findings of a parallel run, in which nothing is wrong unless a test says so."""

from datetime import UTC, datetime
from typing import Any

from lifecycle.parallel.agreement import Duels
from lifecycle.parallel.findings import Failures, Findings, Likeness, Preference, Sampling, Speed
from lifecycle.parallel.sequential import Bounds
from registry.parallel_runs import Kind, ParallelRun, SampledRequests

RUN = ParallelRun(
    run_id=1,
    kind=Kind.LIVE,
    candidate="v2",
    live="v1",
    generation=1,
    sample=0.2,
    canary=0.0,
    actor="tester",
    started_at=datetime(2026, 5, 3, tzinfo=UTC),
    ended_at=None,
)


def likeness(overlap: float = 0.7) -> Likeness:
    around = Bounds(overlap - 0.05, overlap + 0.05)
    return Likeness(300, overlap, around, overlap, around, 0.3, Bounds(0.2, 0.4))


def speed(ratio: float = 1.0, high: float = 1.1) -> Speed:
    return Speed(300, (0.010, 0.030), (0.010 * ratio, 0.030), ratio, Bounds(2 * ratio - high, high))


def preference(won: int = 0, lost: int = 0) -> Preference:
    return Preference.of(Duels(won, lost, 0))


def findings(**changes: Any) -> Findings:
    made: dict[str, Any] = {
        "run": RUN,
        "requests": SampledRequests(1_500, 300, 0),
        "likeness": likeness(),
        "genres": {},
        "types": {},
        "speed": speed(),
        "failures": Failures(300, 0, 0),
        "agreement": preference(),
        "interleaving": preference(),
        "sampling": Sampling.of(0.2, 300, 1_500),
        "canary": None,
    }
    return Findings(**{**made, **changes})
