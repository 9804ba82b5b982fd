"""What a move of the live pointer came to."""

import time
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.following import Followed
from lifecycle.gate.decision import Decision
from registry.errors import PointerMoved
from registry.pointer import Pointer


@dataclass(frozen=True)
class Moved:
    """Where the pointer stands after a command, and what decided it; `moved` is false if it stood there before.

    Attributes:
        committed_at: when the move was committed, by the monotonic clock.
        locked_seconds: for how long the pointer's row was locked.
        followed: how servers followed, if that was waited for.
    """

    pointer: Pointer
    moved: bool
    decision: Decision | None = None
    committed_at: float = 0.0
    locked_seconds: float = 0.0
    followed: Followed | None = None


def refuse_if_raced(present: Pointer, name: str, asked: float | None) -> None:
    """Tell an operator who was beaten to it from one who repeats a command that was done.

    Raises:
        PointerMoved: the version became live after the operator had asked for it.
    """
    if asked is None:
        return
    running = timedelta(seconds=time.monotonic() - asked)
    if present.age is not None and present.age < running:
        raise PointerMoved(
            f"Another command made {name} live {present.age.total_seconds():.1f} s ago, while this one was starting; "
            f"the generation is {present.generation}.",
            "Nothing was changed by this command. See `autosort history`.",
        )
