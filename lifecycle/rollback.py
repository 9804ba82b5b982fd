"""Going back to a version that was live before, at once."""

import time
from dataclasses import asdict
from typing import Any

from lifecycle.moved import Moved, refuse_if_raced
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, servers, versions
from registry.database import Connection, actor
from registry.errors import Refused
from registry.pointer import Pointer
from registry.stages import Stage
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


def roll_back(
    workspace: Workspace,
    progress: Progress,
    name: str | None = None,
    *,
    now: bool = False,
    reason: str | None = None,
    asked: float | None = None,
) -> Moved:
    """Make a version that was live before live again: by default the one before this.

    Songs that it lacks are embedded first; with `now` the pointer moves at once and they follow at the next sync.

    Raises:
        Refused: there is nothing to go back to, the version never served, or it was retired.
        PointerMoved: somebody else moved the pointer while this command ran.
        ArtifactError: the version's model is missing, unsafe or changed.
    """
    with workspace.database.transaction() as connection:
        before = pointer.read(connection)
        version = versions.get(connection, name or target_of(connection, before))
        warm = _held_by_all(connection, version.version)
    if before.live == version.version:
        refuse_if_raced(before, version.version, asked)
        return Moved(before, moved=False)
    require_retained(version)
    if (
        not warm
    ):  # else every server has verified it before it loaded it. The encoder alone: nothing else may hold it up
        workspace.artifacts.verified(version.spec.embedder.artifact)
    if not now:
        _catch_up(workspace, version, progress)
    with workspace.database.transaction() as connection:
        coverage = VectorSet(version).coverage(connection)
        locked_at = time.monotonic()
        evidence = {"coverage": asdict(coverage), "now": now}
        after = move_back(connection, version, before, reason, evidence)
    committed_at = time.monotonic()
    return Moved(after, True, None, committed_at, committed_at - locked_at)


def move_back(
    connection: Connection, version: ModelVersion, before: Pointer, reason: str | None, evidence: dict[str, Any]
) -> Pointer:
    """Make the version live again, in the connection's transaction."""
    return pointer.move(
        connection,
        version.version,
        expected=before,
        action="rollback",
        actor=actor(),
        reason=reason,
        evidence=evidence,
    )


def target_of(connection: Connection, present: Pointer) -> str:
    """The version that a plain rollback goes to.

    Right after a rollback there is none: going "back" again would bring back the version that was just fled from.
    """
    last = pointer.last_move(connection)
    if present.previous is None or last is None:
        raise Refused("There is no version to roll back to: only one was ever live.", "See `autosort status`.")
    if last.action == "rollback":
        raise Refused(
            f"{present.live} is live because of a rollback from {present.previous} at {last.at:%Y-%m-%d %H:%M:%S} "
            f"by {last.actor}.",
            f"To go further back name the version: `autosort rollback VERSION`; to return: "
            f"`autosort promote {present.previous}`.",
        )
    return present.previous


def require_retained(version: ModelVersion) -> None:
    """Raise `Refused` unless the version was live before and is kept."""
    if version.stage is not Stage.RETAINED:
        raise Refused(
            f"{version.version} is {version.stage}: only a version that was live before can be rolled back to.",
            f"To make it live: `autosort promote {version.version}`." if version.stage is Stage.READY else "",
        )


def _held_by_all(connection: Connection, name: str) -> bool:
    """Whether there are servers and each of them holds the version, ready to answer."""
    running = servers.list_alive(connection)
    return bool(running) and all(name in each.warm for each in running)


def _catch_up(workspace: Workspace, version: ModelVersion, progress: Progress) -> None:
    """Embed what the version lacks; refuse if something is still missing afterwards."""
    with workspace.database.transaction() as connection:
        catalogue.refresh_texts(connection)
        coverage = VectorSet(version).coverage(connection)
    if coverage.complete:
        return
    takes = catch_up_seconds(workspace, version, coverage)
    progress.say(
        f"{version.version} lacks {coverage.missing} songs, {coverage.stale} are stale, {coverage.playlists} playlists "
        f"are not current: catching up first takes about {takes:.0f} s and the loading of the model (--now moves at "
        "once, and they follow)."
    )
    # Imported here because a rollback that lacks nothing must not wait for it.
    from lifecycle.reconcile.operation import reconcile

    coverage = reconcile(workspace, version.version, progress).coverage or coverage
    if not coverage.complete:
        raise Refused(
            f"{version.version} still lacks {coverage.missing + coverage.stale} songs.",
            "Run the same command again, or add --now to move at once.",
        )


def catch_up_seconds(workspace: Workspace, version: ModelVersion, coverage: Coverage) -> float:
    """How long embedding what is lacking takes, about, by the table of throughputs; without loading the model."""
    from lifecycle.budget import machine_of, profile_of
    from lifecycle.cost import estimate_embedding
    from lifecycle.settings import read_settings

    songs = coverage.missing + coverage.stale
    machine = machine_of(read_settings(), workspace)
    return max(0.0, estimate_embedding(songs, profile_of(version), machine).seconds - machine.overhead_seconds)
