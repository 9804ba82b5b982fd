"""The stages of a model version and the legal moves between them, as one pure table."""

from enum import StrEnum

from registry.errors import IllegalMove, Refused


class Stage(StrEnum):
    """Where a model version stands.

    `rejected` was given up before it ever served, `retired` afterwards; neither comes back.
    """

    REGISTERED = "registered"
    EMBEDDING = "embedding"
    READY = "ready"
    LIVE = "live"
    RETAINED = "retained"
    RETIRED = "retired"
    REJECTED = "rejected"


MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.REGISTERED: frozenset({Stage.EMBEDDING, Stage.REJECTED}),
    Stage.EMBEDDING: frozenset({Stage.READY, Stage.REJECTED}),
    Stage.READY: frozenset({Stage.LIVE, Stage.REJECTED}),
    Stage.LIVE: frozenset({Stage.RETAINED}),
    Stage.RETAINED: frozenset({Stage.LIVE, Stage.RETIRED}),
    Stage.RETIRED: frozenset(),
    Stage.REJECTED: frozenset(),
}

GIVEN_UP = frozenset({Stage.RETIRED, Stage.REJECTED})
"""Stages of versions that will never serve again: nothing is embedded for them."""

SERVABLE = frozenset({Stage.READY, Stage.LIVE, Stage.RETAINED})
"""Stages of versions that could serve at once: their vectors follow every change of the catalogue."""


def check_move(version: str, present: Stage, target: Stage) -> None:
    """Raise `IllegalMove` unless a version may go from `present` to `target`."""
    if target not in MOVES[present]:
        allowed = ", ".join(sorted(MOVES[present])) or "nothing: this stage is final"
        raise IllegalMove(
            f"{version} is {present} and cannot become {target}.",
            f"From {present} it can become: {allowed}.",
        )


def require_kept(version: str, stage: Stage) -> None:
    """Raise `Refused` if a version was given up."""
    if stage in GIVEN_UP:
        raise Refused(f"{version} is {stage}: its vectors are gone for good.", "See `autosort status`.")
