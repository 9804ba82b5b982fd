"""The time after a promotion, in which the new version must show that it serves no worse than the old one did.

Failures, latency and rejections are compared with those of the version before, over as long a time before the move. The
bounds of shares hold however often one looks; a breach rolls back by itself if that is configured.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from lifecycle.notification import notify
from lifecycle.parallel.sequential import Bounds, share_bounds
from lifecycle.progress import Progress
from lifecycle.rollback import roll_back
from lifecycle.settings import LifecycleSettings
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, traffic
from registry.database import Connection
from registry.errors import AutosortError
from registry.traffic import Served

LOOK_SECONDS = 5.0

_LEVEL = 0.99
_FAILURE_MARGIN = 0.005
_REJECTION_MARGIN = 0.05
_MEDIAN_FACTOR, _MEDIAN_REQUESTS = 1.5, 200
_TAIL_FACTOR, _TAIL_REQUESTS = 2.0, 1_000


@dataclass(frozen=True)
class Serving:
    """How one version did over a time: what it served, and of the judgements given how many were rejections."""

    served: Served
    rejected: int
    judgements: int


@dataclass(frozen=True)
class Check:
    """One thing that is compared: whether it is bad enough to go back, and the figures."""

    name: str
    breached: bool
    figure: str


@dataclass(frozen=True)
class Bake:
    """A promotion under watch.

    Attributes:
        until: when the watch ends.
        checks: empty if nothing is under watch any more.
        rolled_back: whether this look rolled it back.
        notified: whether each webhook took the notification.
    """

    version: str | None
    before: str | None
    generation: int
    until: datetime | None
    checks: tuple[Check, ...] = ()
    rolled_back: bool = False
    notified: tuple[bool, ...] = ()

    @property
    def breaches(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.breached)

    def as_json(self) -> dict[str, Any]:
        """The bake as a JSON object."""
        return {**asdict(self), "until": self.until.isoformat() if self.until else None}


def look(workspace: Workspace, settings: LifecycleSettings, progress: Progress) -> Bake:
    """Look once at how the last promotion does; roll back if that is configured and it does worse.

    Raises:
        PointerMoved: somebody else moved the pointer meanwhile.
        ArtifactError: the version before can no longer be loaded.
    """
    window = timedelta(minutes=settings.bake_minutes)
    with workspace.database.transaction() as connection:
        bake = _read(connection, window)
    if not bake.breaches or not settings.auto_rollback:
        return bake
    reason = "bake: " + "; ".join(f"{check.name}: {check.figure}" for check in bake.breaches)
    progress.say(f"{bake.version} does worse than {bake.before}: {reason}. Rolling back.")
    # At once: songs that the version before lacks follow at the next sync.
    moved = roll_back(workspace, progress, bake.before, now=True, reason=reason)
    document = {"version": bake.version, "live": moved.pointer.live, "generation": moved.pointer.generation}
    told = notify(settings.webhooks, "rolled_back", {**document, "reason": reason, "checks": bake.as_json()["checks"]})
    return Bake(bake.version, bake.before, bake.generation, bake.until, bake.checks, True, tuple(told))


def watch(
    workspace: Workspace, settings: LifecycleSettings, progress: Progress, stop: threading.Event
) -> Iterator[Bake]:
    """Look every few seconds until told to stop; give each look that differs from the one before."""
    last: Bake | None = None
    while True:
        with suppress(AutosortError):  # a database that is away comes back; whoever moved the pointer has decided
            bake = look(workspace, settings, progress)
            if last is None or (bake.generation, bake.breaches, bake.rolled_back) != (
                last.generation,
                last.breaches,
                last.rolled_back,
            ):
                yield bake
            last = bake
        if stop.wait(LOOK_SECONDS):
            return


@contextmanager
def watched(workspace: Workspace, settings: LifecycleSettings, progress: Progress) -> Iterator[None]:
    """Watch in a thread beside whatever the context does; what is done is said."""
    stop = threading.Event()

    def run() -> None:
        for _ in watch(workspace, settings, progress, stop):
            pass

    thread = threading.Thread(target=run, name="bake", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def judge(new: Serving, old: Serving) -> tuple[Check, ...]:
    """Compare a version with the one before it. Pure."""
    checks: Sequence[Callable[[Serving, Serving], Check | None]] = (_failures, _median, _tail, _rejections)
    return tuple(check for rule in checks if (check := rule(new, old)))


def _read(connection: Connection, window: timedelta) -> Bake:
    present, last = pointer.read(connection), pointer.last_move(connection)
    if last is None or last.action != "promote" or present.previous is None or present.live is None:
        return Bake(present.live, None, present.generation, None)
    until = last.at + window
    if present.age is None or present.age > window:
        return Bake(present.live, present.previous, present.generation, until)
    new = _serving(connection, present.live, present.generation, last.at, until)
    old = _serving(connection, present.previous, present.generation - 1, last.at - window, last.at)
    return Bake(present.live, present.previous, present.generation, until, judge(new, old))


def _serving(connection: Connection, version: str, generation: int, since: datetime, until: datetime) -> Serving:
    rejected, judgements = catalogue.count_verdicts(connection, since, until)
    return Serving(traffic.read(connection, version, generation, since=since), rejected, judgements)


def _failures(new: Serving, old: Serving) -> Check:
    one, other = (_share(each.served.failed, each.served.requests) for each in (new, old))
    before = f"before {old.served.failed} of {old.served.requests}"
    figure = f"{new.served.failed} of {new.served.requests} requests failed, {before}"
    return Check("failures", one.low > other.high + _FAILURE_MARGIN, figure)


def _rejections(new: Serving, old: Serving) -> Check:
    one, other = (_share(each.rejected, each.judgements) for each in (new, old))
    figure = f"{new.rejected} of {new.judgements} judgements reject, before {old.rejected} of {old.judgements}"
    breached = bool(old.judgements) and one.low > other.high + _REJECTION_MARGIN
    return Check("rejections", breached, figure)


def _median(new: Serving, old: Serving) -> Check | None:
    return _slower("p50", new.served, old.served, 0.5, _MEDIAN_FACTOR, _MEDIAN_REQUESTS)


def _tail(new: Serving, old: Serving) -> Check | None:
    return _slower("p99", new.served, old.served, 0.99, _TAIL_FACTOR, _TAIL_REQUESTS)


def _slower(name: str, new: Served, old: Served, share: float, factor: float, least: int) -> Check | None:
    """The endpoint that has become slowest, of those that were asked often enough before and after."""
    asked = [each for each in new.buckets if min(new.requests_of(each), old.requests_of(each)) >= least]
    found = [(each, new.quantile(each, share), old.quantile(each, share)) for each in asked]
    timed = [(one / other, endpoint, one, other) for endpoint, one, other in found if one and other]
    if not timed:
        return None
    ratio, endpoint, one, other = max(timed)
    figure = f"{endpoint} {one * 1e3:.1f} ms, before {other * 1e3:.1f} ms ({ratio:.2f} times)"
    return Check(name, ratio > factor, figure)


def _share(successes: int, trials: int) -> Bounds:
    return share_bounds(successes, trials, _LEVEL)
