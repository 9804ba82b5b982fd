"""Moving the live pointer: promote through the gate, roll back."""

import time
from dataclasses import asdict, dataclass
from datetime import timedelta

from lifecycle import gate
from lifecycle.gate_policy import GatePolicy, read_policy
from lifecycle.progress import Progress
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.database import Connection, actor
from registry.errors import BadInput, PointerMoved, Refused
from registry.pointer import Pointer
from registry.stages import GIVEN_UP, SERVABLE, Stage
from registry.vectors import index
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


@dataclass(frozen=True)
class Moved:
    """Where the pointer stands after a command, and what decided it; `moved` is false if it stood there before."""

    pointer: Pointer
    moved: bool
    decision: gate.Decision | None = None


def promote(
    workspace: Workspace,
    name: str,
    progress: Progress,
    *,
    force: bool = False,
    reason: str | None = None,
    asked: float | None = None,
) -> Moved:
    """Make a version live, if the gate allows it: pointer, stages and audit row in one transaction.

    Args:
        force: go live although a rule that may be waived failed; needs a reason, which the audit log keeps.
        asked: when the operator asked, by the monotonic clock: a move since then was somebody else's.

    Raises:
        GateClosed: the rules do not allow it.
        PointerMoved: somebody else moved the pointer while this command ran.
        Refused: the version is not ready, was retired, or `force` lacks a reason.
        ArtifactError: the version's model is missing, unsafe or changed.
    """
    if force and not reason:
        raise BadInput("--force needs a reason.", 'Add --reason "why"; the audit log keeps it.')
    with workspace.database.transaction() as connection:
        before = pointer.read(connection)
        version = versions.get(connection, name)
    if before.live == name:
        _refuse_if_raced(before, name, asked)
        return Moved(before, moved=False)
    with workspace.database.transaction() as connection:
        catalogue.refresh_texts(connection)
        _require_servable(connection, version)
    workspace.artifacts.verified(version.spec.embedder.artifact)
    policy, trial = _tried_out(workspace, version, before.live, progress)
    with workspace.database.transaction() as connection:
        pointer.lock(connection)
        decision = gate.decide(_evidence(connection, version, trial), policy)
        gate.require_open(decision, force=force)
        after = pointer.move(
            connection,
            name,
            expected=before,
            action="promote",
            actor=actor(),
            reason=reason,
            evidence={**decision.as_json(), "forced": force and not decision.passed},
        )
    return Moved(after, moved=True, decision=decision)


def preview(workspace: Workspace, name: str, progress: Progress) -> gate.Decision:
    """What the gate would say of a version now; nothing is moved.

    Raises:
        ArtifactError: the version's model is missing, unsafe or changed.
        Refused: the version has no whole set of vectors.
    """
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live
        version = versions.get(connection, name)
        _require_servable(connection, version)
    workspace.artifacts.verified(version.spec.embedder.artifact)
    policy, trial = _tried_out(workspace, version, live, progress)
    with workspace.database.transaction() as connection:
        return gate.decide(_evidence(connection, version, trial), policy)


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
        target = name or _previous(connection, before)
        version = versions.get(connection, target)
    if before.live == target:
        _refuse_if_raced(before, target, asked)
        return Moved(before, moved=False)
    if version.stage is not Stage.RETAINED:
        raise Refused(
            f"{target} is {version.stage}: only a version that was live before can be rolled back to.",
            f"To make it live: `autosort promote {target}`." if version.stage is Stage.READY else "",
        )
    workspace.artifacts.verified(version.spec.embedder.artifact)
    if not now:
        _catch_up(workspace, version, progress)
    with workspace.database.transaction() as connection:
        pointer.lock(connection)
        coverage = VectorSet(version).coverage(connection)
        after = pointer.move(
            connection,
            target,
            expected=before,
            action="rollback",
            actor=actor(),
            reason=reason,
            evidence={"coverage": asdict(coverage), "now": now},
        )
    return Moved(after, moved=True)


def _refuse_if_raced(present: Pointer, name: str, asked: float | None) -> None:
    """Tell an operator who was beaten to it from one who repeats a command that was done."""
    if asked is None:
        return
    running = timedelta(seconds=time.monotonic() - asked)
    if present.age is not None and present.age < running:
        raise PointerMoved(
            f"Another command made {name} live {present.age.total_seconds():.1f} s ago, while this one was starting; "
            f"the generation is {present.generation}.",
            "Nothing was changed by this command. See `autosort history`.",
        )


def _require_servable(connection: Connection, version: ModelVersion) -> None:
    if version.stage in SERVABLE:
        return
    if version.stage in GIVEN_UP:
        raise Refused(f"{version.version} is {version.stage}: its vectors are gone for good.", "Promote another one.")
    vectors = VectorSet(version)
    if vectors.state(connection) is None:
        raise Refused(
            f"{version.version} is {version.stage}: nothing is embedded for it yet.",
            f"Run `autosort reembed {version.version}`.",
        )
    coverage = vectors.coverage(connection)
    songs = catalogue.counts(connection)["songs"]
    raise Refused(
        f"{version.version} is half-embedded: {coverage.missing + coverage.stale} of {songs} songs and "
        f"{coverage.playlists} playlists are still to be embedded.",
        f"Run `autosort reembed {version.version}`, then promote again.",
    )


def _tried_out(
    workspace: Workspace, version: ModelVersion, live: str | None, progress: Progress
) -> tuple[GatePolicy, gate.Trial | None]:
    """The rules that a version is judged by, and what it showed; made before anything is locked, as it takes time.

    The rules are those that were fixed before its training, whatever gate.toml has become since.
    """
    training = version.spec.training
    fixed = GatePolicy.model_validate(training.gate) if training and training.gate else None
    policy = fixed or read_policy(workspace.settings.home)
    if live is None:
        return policy, None
    # Imported here because a rollback must not wait for it.
    from lifecycle.trial import try_out

    return policy, try_out(workspace, version.version, live, policy, progress)


def _evidence(connection: Connection, version: ModelVersion, trial: gate.Trial | None) -> gate.Evidence:
    vectors = VectorSet(version)
    state = vectors.state(connection)
    return gate.Evidence(
        candidate=version.version,
        trial=trial,
        coverage=vectors.coverage(connection),
        index_valid=index.is_valid(connection, vectors),
        index_recall=state.index_recall if state else None,
        artifact_verified=True,  # an artifact that is not has raised before this
    )


def _previous(connection: Connection, present: Pointer) -> str:
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


def _catch_up(workspace: Workspace, version: ModelVersion, progress: Progress) -> Coverage:
    """Embed what the version lacks; refuse if something is still missing afterwards."""
    with workspace.database.transaction() as connection:
        catalogue.refresh_texts(connection)
        coverage = VectorSet(version).coverage(connection)
    if not coverage.complete:
        progress.say(
            f"{version.version} lacks {coverage.missing} songs, {coverage.stale} are stale, {coverage.playlists} "
            "playlists are not current: catching up first (--now moves at once)."
        )
        coverage = reconcile(workspace, version.version, progress).coverage or coverage
    if not coverage.complete:
        raise Refused(
            f"{version.version} still lacks {coverage.missing + coverage.stale} songs.",
            "Run the same command again, or add --now to move at once.",
        )
    return coverage
