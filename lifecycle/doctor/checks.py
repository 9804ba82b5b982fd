"""What a check finds: whether something is good, bad or not used, and what to do. The judging is pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from threading import Thread
from typing import Any

from registry.errors import AutosortError

LEAST_FREE = 5 * 2**30
"""Bytes of disk below which the next version may not fit."""

LEAST_POSTGRES = 15
LEAST_PGVECTOR = (0, 8)
MOST_APART = 5.0
"""Seconds by which this machine's clock and the database's may differ."""

_GIB = 2**30


class State(StrEnum):
    """How something is."""

    GOOD = "good"
    BAD = "bad"
    UNUSED = "unused"


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, how it is, the fact, and the remedy if it is bad."""

    name: str
    state: State
    fact: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The check as a JSON object."""
        return {**asdict(self), "state": self.state.value, "remedy": self.remedy or None}


def good(name: str, fact: str) -> Check:
    return Check(name, State.GOOD, fact)


def bad(name: str, fact: str, remedy: str) -> Check:
    return Check(name, State.BAD, fact, remedy)


def unused(name: str, fact: str) -> Check:
    return Check(name, State.UNUSED, fact)


def examine(name: str, look: Callable[[], Check], *, seconds: float) -> Check:
    """Look at one thing for so long at most; whatever goes wrong meanwhile is what was found."""
    found: list[Check] = []

    def run() -> None:
        try:
            found.append(look())
        except AutosortError as error:
            found.append(bad(name, error.fact, error.remedy))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other lines are wanted too
            # Its text may hold an address with a password.
            found.append(bad(name, f"Looking at it failed with {type(error).__name__}.", "See `autosort status`."))

    looking = Thread(target=run, name=f"doctor-{name}", daemon=True)
    looking.start()
    looking.join(seconds)
    return found[0] if found else bad(name, f"There was no answer within {seconds:g} s.", "Look at the network.")


def is_well(checks: Sequence[Check]) -> bool:
    """Whether nothing is bad."""
    return all(each.state is not State.BAD for each in checks)


def judge_disk(folder: str, free: int) -> Check:
    fact = f"{free / _GIB:.1f} GiB free in {folder}"
    if free < LEAST_FREE:
        return bad("disk", fact, "Retire versions that are not needed (`autosort retire`), or make room.")
    return good("disk", fact)


def judge_postgres(version_number: int) -> Check:
    """Args: version_number: as Postgres' `server_version_num` tells it, such as 180004."""
    fact = f"PostgreSQL {version_number // 10_000}.{version_number % 10_000}"
    if version_number // 10_000 < LEAST_POSTGRES:
        return bad("database", fact, f"Use PostgreSQL {LEAST_POSTGRES} or newer.")
    return good("database", fact)


def judge_pgvector(version: str | None) -> Check:
    least = ".".join(map(str, LEAST_PGVECTOR))
    if version is None:
        return bad("pgvector", "pgvector is not there.", f"Install pgvector {least} or newer, then `autosort migrate`.")
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_PGVECTOR:
        return bad("pgvector", f"pgvector {version}", f"Update it to {least} or newer: ALTER EXTENSION vector UPDATE.")
    return good("pgvector", f"pgvector {version}")


def judge_pooler(asked: int | None, answered: int | None) -> Check:
    """Args: asked, answered: the ports that were asked and that the server listens on; None: a socket."""
    if asked is None or answered is None or asked == answered:
        return unused("pooler", "The database is reached directly.")
    fact = f"port {asked} leads to port {answered}: a pooler or proxy; nothing here needs prepared statements or LISTEN"
    return good("pooler", fact)


def judge_clock(apart: float) -> Check:
    fact = f"{abs(apart):.1f} s from the database's"
    if abs(apart) > MOST_APART:
        return bad("clock", fact, "Set this machine's clock (NTP); leases and schedules go by it.")
    return good("clock", fact)
