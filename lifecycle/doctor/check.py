"""What a check comes to: good, bad or unused, the fact, and what to do about it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Unused is what nothing here needs at present, or what could not be looked at because something else is bad."""

    GOOD = "good"
    BAD = "bad"
    UNUSED = "unused"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's.

    Attributes:
        fact: what is the case, with the values that matter.
        remedy: what to do about it; None where there is nothing to do.
    """

    name: str
    state: State
    fact: str
    remedy: str | None = None

    def as_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return asdict(self)


class NotLookedAt(Exception):
    """Raised in a check: there is nothing to look at, or no way to; its text says why."""


def good(name: str, fact: str, remedy: str | None = None) -> Check:
    return Check(name, State.GOOD, fact, remedy)


def bad(name: str, fact: str, remedy: str) -> Check:
    return Check(name, State.BAD, fact, remedy)


def unused(name: str, fact: str, remedy: str | None = None) -> Check:
    return Check(name, State.UNUSED, fact, remedy)
