"""Waiting for the servers: until all hold a version ready, until all answer with it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from lifecycle.progress import Progress
from registry import pointer, servers
from registry.database import Database
from registry.pointer import Pointer
from registry.servers import Server

_LOOK_SECONDS = 0.05
_LONGEST_PREPARATION = 120.0
LONGEST_MOVE = 60.0


@dataclass(frozen=True)
class Followed:
    """How servers followed a move.

    Attributes:
        seconds: after which each was seen to answer with the new version.
        stragglers: those that do not yet, each with its reason, if it gave one.
    """

    seconds: Mapping[str, float]
    stragglers: Mapping[str, str | None]


def prepare_servers(database: Database, version: str, progress: Progress) -> None:
    """Have every server load a version, and wait until all hold it, or say why they cannot; two minutes at most."""
    with database.transaction() as connection:
        pointer.set_preparing(connection, version)
        running = servers.list_alive(connection)
    waiting = _cold(running, version)
    if not waiting:
        return
    deadline = time.monotonic() + _LONGEST_PREPARATION
    with progress.task(f"Servers loading {version}", len(running), unit="servers") as advance:
        while waiting and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            with database.transaction() as connection:
                running = servers.list_alive(connection)
            waiting = [each for each in _cold(running, version) if each.problem is None]
            advance(len(running) - len(waiting), len(running))


def stop_preparing(database: Database) -> None:
    """Let servers drop the version that was not promoted after all."""
    with database.transaction() as connection:
        pointer.set_preparing(connection, None)


def wait_for_servers(database: Database, moved: Pointer, since: float, *, seconds: float = LONGEST_MOVE) -> Followed:
    """Wait until all servers answer at the generation of a move, or a later one.

    Args:
        since: when the move was committed, by the monotonic clock.
        seconds: to wait at most.
    """
    followed: dict[str, float] = {}
    while True:
        with database.transaction() as connection:
            running = servers.list_alive(connection)
        elapsed = time.monotonic() - since
        for each in running:
            if (each.generation or 0) >= moved.generation:
                followed.setdefault(each.server, round(elapsed, 3))
        stragglers = {each.server: each.problem for each in running if each.server not in followed}
        if not stragglers or elapsed > seconds:
            return Followed(followed, stragglers)
        time.sleep(_LOOK_SECONDS)


def _cold(running: list[Server], version: str) -> list[Server]:
    return [each for each in running if version not in each.warm]
