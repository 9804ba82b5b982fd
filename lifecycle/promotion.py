"""Making a version live, through the gate."""

import time
from dataclasses import dataclass, replace

from lifecycle.following import prepare_servers, stop_preparing
from lifecycle.gate.decision import Decision, decide, require_open
from lifecycle.gate.evidence import Evidence, Trial
from lifecycle.gate.policy import GatePolicy, read_policy
from lifecycle.moved import Moved, refuse_if_raced
from lifecycle.parallel import findings
from lifecycle.parallel.findings import Findings
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, servers, versions
from registry.database import Connection, actor
from registry.errors import BadInput, Refused
from registry.parallel_runs import Kind
from registry.pointer import Pointer
from registry.stages import GIVEN_UP, SERVABLE
from registry.vectors import index
from registry.vectors.search import uses_index
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


@dataclass(frozen=True)
class _Shown:
    """What was found of a candidate before anything is locked, as that takes time."""

    policy: GatePolicy
    trial: Trial | None
    parallel: Findings | None


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

    Servers load the version first. What it lacks of evidence is made now: its evaluation, and a parallel run on songs
    of the catalogue if none with the live version found enough.

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
        refuse_if_raced(before, name, asked)
        return Moved(before, moved=False)
    from lifecycle.compute.shipping import ship

    shown = _shown(workspace, version, before.live, progress)
    ship(workspace, progress, name)
    prepare_servers(workspace.database, name, progress)
    try:
        return _decide_and_move(workspace, version, before, shown, force=force, reason=reason)
    except BaseException:
        stop_preparing(workspace.database)
        raise


def preview(workspace: Workspace, name: str, progress: Progress) -> Decision:
    """What the gate would say of a version now; nothing is moved.

    Raises:
        ArtifactError: the version's model is missing, unsafe or changed.
        Refused: the version has no whole set of vectors.
    """
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live
        version = versions.get(connection, name)
    shown = _shown(workspace, version, live, progress)
    with workspace.database.transaction() as connection:
        # What runs now would load it before a promotion asks.
        evidence = replace(_evidence(connection, version, shown), servers=())
    return decide(evidence, shown.policy)


def _decide_and_move(
    workspace: Workspace, version: ModelVersion, before: Pointer, shown: _Shown, *, force: bool, reason: str | None
) -> Moved:
    """Gather, decide and move in one transaction. The lock comes last; a pointer that moved meanwhile is not moved."""
    with workspace.database.transaction() as connection:
        decision = decide(_evidence(connection, version, shown), shown.policy)
        require_open(decision, force=force)
        locked_at = time.monotonic()
        after = pointer.move(
            connection,
            version.version,
            expected=before,
            action="promote",
            actor=actor(),
            reason=reason,
            evidence={**decision.as_json(), "forced": force and not decision.passed},
        )
    committed_at = time.monotonic()
    return Moved(after, True, decision, committed_at, committed_at - locked_at)


def _shown(workspace: Workspace, version: ModelVersion, live: str | None, progress: Progress) -> _Shown:
    with workspace.database.transaction() as connection:
        catalogue.refresh_texts(connection)
        _require_servable(connection, version)
    for digest in version.spec.artifacts:
        workspace.artifacts.verified(digest)
    # The rules are those that were fixed before the training, whatever gate.toml has become since.
    training = version.spec.training
    fixed = GatePolicy.model_validate(training.gate) if training and training.gate else None
    policy = fixed or read_policy(workspace.settings.home)
    if live is None or live == version.version:
        return _Shown(policy, None, None)
    # Imported here because a rollback must not wait for it.
    from lifecycle.trial import try_out

    trial = try_out(workspace, version.version, live, policy, progress)
    return _Shown(policy, trial, _compared(workspace, version.version, live, policy, progress))


def _compared(workspace: Workspace, name: str, live: str, policy: GatePolicy, progress: Progress) -> Findings:
    """What was found on live requests, if that is enough or asked for; else on songs of the catalogue."""
    from lifecycle.parallel.replay import replay_recent

    with workspace.database.transaction() as connection:
        known = findings.latest(connection, name, live)
        songs = catalogue.counts(connection)["songs"]
    on_requests, replayed = known.get(Kind.LIVE), known.get(Kind.REPLAY)
    if on_requests and (policy.live_traffic or on_requests.failures.n >= policy.compared_requests):
        return on_requests
    if replayed and replayed.failures.n >= min(policy.compared_requests, songs):
        return replayed
    run = replay_recent(workspace, name, policy.compared_requests, progress, live)
    with workspace.database.transaction() as connection:
        return findings.read(connection, run)


def _evidence(connection: Connection, version: ModelVersion, shown: _Shown) -> Evidence:
    vectors = VectorSet(version)
    state = vectors.state(connection)
    return Evidence(
        candidate=version.version,
        trial=shown.trial,
        coverage=vectors.coverage(connection),
        songs=catalogue.counts(connection)["songs"],
        index_valid=index.is_valid(connection, vectors),
        index_used=uses_index(connection, vectors),
        index_recall=state.index_recall if state else None,
        artifact_verified=True,  # an artifact that is not has raised before this
        parallel=shown.parallel,
        servers=servers.list_alive(connection),
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
