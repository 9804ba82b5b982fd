"""Giving versions up, once nothing needs them any more; and pinning those that must stay."""

from lifecycle.workspace import Workspace
from registry import parallel_runs, pins, pointer, servers, versions
from registry.database import Connection, actor
from registry.emotion_scores import EmotionScores
from registry.errors import ArtifactError, PointerMoved, Refused
from registry.pointer import Pointer
from registry.stages import GIVEN_UP, Stage
from registry.vectors import claims, removal
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


def retire(workspace: Workspace, name: str, *, reason: str | None = None) -> Stage:
    """Give a version up and free its disk; one that never served becomes rejected. Safe to repeat.

    The model that others were fine-tuned from stays, though its vectors go.

    Raises:
        NotFound: there is no such version.
        Refused: the version is live, previous, pinned, in use by a server or being embedded; or the model of one that
            would be left to serve is damaged. Nothing is changed.
        PointerMoved: the live pointer moved meanwhile. Nothing is changed.
        DatabaseBusy: it is given up, but somebody reads its vectors; the same call goes on.
    """
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
        stage = version.stage
        if stage not in GIVEN_UP:
            _refuse_if_needed(connection, pointer.read(connection), name)
    if stage not in GIVEN_UP:
        seen = _verify_others(workspace)
        with workspace.database.transaction() as connection:
            stage = _give_up(connection, name, seen, reason)
    removal.drop(workspace.database, VectorSet(version))
    _remove_emotions(workspace, version)
    _remove_artifacts(workspace, version)
    return stage


def pin(workspace: Workspace, name: str, *, reason: str) -> None:
    """Keep a version from being retired; pinned again, it has the new reason.

    Raises:
        BadInput: the reason is blank.
        NotFound: there is no such version.
        Refused: it was given up before.
    """
    with workspace.database.transaction() as connection:
        pins.pin(connection, name, actor=actor(), reason=reason)


def unpin(workspace: Workspace, name: str, *, reason: str | None = None) -> bool:
    """Let a version be retired again; whether it was pinned at all.

    Raises:
        NotFound: there is no such version.
    """
    with workspace.database.transaction() as connection:
        return pins.unpin(connection, name, actor=actor(), reason=reason)


def _give_up(connection: Connection, name: str, seen: Pointer, reason: str | None) -> Stage:
    """Move the version to its last stage, with the pointer locked, unless something needs it now."""
    present = pointer.lock(connection)
    if present.generation != seen.generation:  # what was verified may not be what is left
        raise PointerMoved(
            f"The live pointer moved while this command ran: {present.live} became live at generation "
            f"{present.generation}.",
            "Nothing was changed by this command. Look at `autosort history`, then decide again.",
        )
    _refuse_if_needed(connection, present, name)
    stage = versions.get(connection, name).stage
    if stage in GIVEN_UP:  # by another command, a moment ago
        return stage
    stage = Stage.RETIRED if stage is Stage.RETAINED else Stage.REJECTED
    versions.move(connection, name, stage)
    # Asked again: a heartbeat that comes to name the version waits for this transaction from here on, because of its
    # foreign key, and one written just before is seen.
    _refuse_if_used(connection, name)
    action = "retire" if stage is Stage.RETIRED else "reject"
    pointer.audit(connection, action, name, actor=actor(), reason=reason)
    if present.candidate == name:
        pointer.set_candidate(connection, None)
    return stage


def _verify_others(workspace: Workspace) -> Pointer:
    """Make sure that what is left to serve can be loaded: else the version at hand may be the last good one."""
    with workspace.database.transaction() as connection:
        present = pointer.read(connection)
        roles = {"live": present.live, "previous": present.previous}
        left = {role: versions.get(connection, name) for role, name in roles.items() if name}
    for role, version in left.items():
        for digest in version.spec.artifacts:
            _verify(workspace, f"{version.version}, the {role} version,", digest)
    return present


def _verify(workspace: Workspace, who: str, digest: str) -> None:
    try:
        workspace.artifacts.verified(digest)
    except ArtifactError as error:
        fact = f"{who} could not be loaded again, so nothing is given up. {error.fact}"
        raise Refused(fact, error.remedy) from error


def _refuse_if_needed(connection: Connection, present: Pointer, name: str) -> None:
    if name == present.live:
        raise Refused(f"{name} is live.", "Promote or roll back to another version first.")
    if name == present.previous:
        raise Refused(
            f"{name} is the version that a rollback from {present.live} goes to.",
            "Promote another version first; then it is no longer the previous one.",
        )
    pin = pins.find(connection, name)
    if pin:
        raise Refused(
            f"{name} was pinned by {pin.actor} at {pin.pinned_at:%Y-%m-%d %H:%M:%S}: {pin.reason}",
            f"If that no longer holds, run `autosort unpin {name}` first.",
        )
    run = parallel_runs.find_open(connection)
    if run and name in (run.candidate, run.live):
        raise Refused(f"{name} takes part in a parallel run.", "`autosort compare stop` ends it.")
    _refuse_if_used(connection, name)


def _refuse_if_used(connection: Connection, name: str) -> None:
    using = [each.server for each in servers.using(connection, name)]
    if using:
        raise Refused(
            f"{name} answers requests on {_listed(using)}.",
            "See in its log why it does not follow the live pointer; stop or restart it, then run this again. One that "
            f"was killed counts as gone after {servers.ALIVE.total_seconds():.0f} s.",
            details={"servers": using},
        )
    workers = [each.worker for each in claims.list_workers(connection) if each.version == name]
    if workers:
        raise Refused(
            f"{name} is being embedded by {_listed(workers)}.",
            f"Stop it, then run this again. One that was killed counts as gone after {claims.LEASE_SECONDS:.0f} s.",
            details={"workers": workers},
        )


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _remove_emotions(workspace: Workspace, version: ModelVersion) -> None:
    """Songs' emotions go with the last version that is matched by these."""
    scores = EmotionScores.of(version.spec)
    if scores is None:
        return
    with workspace.database.transaction() as connection:
        others = [each for each in versions.list_all(connection) if each.stage not in GIVEN_UP]
        if scores.model not in [each.spec.matched_emotions for each in others]:
            scores.delete_all(connection)


def _remove_artifacts(workspace: Workspace, version: ModelVersion) -> None:
    with workspace.database.transaction() as connection:
        others = [each for each in versions.list_all(connection) if each.stage not in GIVEN_UP]
    kept = {digest for other in others for digest in other.spec.artifacts}
    if any(_came_from(other, version) for other in others):
        kept.add(version.spec.embedder.artifact)
    for digest in version.spec.artifacts:
        if digest not in kept:
            workspace.artifacts.remove(digest)


def _came_from(other: ModelVersion, version: ModelVersion) -> bool:
    """Whether another version was fine-tuned from this one: the next retraining begins from it again."""
    return other.spec.training is not None and other.spec.training.parent == version.version
