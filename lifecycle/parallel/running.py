"""Starting and ending a parallel run on live requests; servers take part by themselves."""

from lifecycle.parallel import findings
from lifecycle.parallel.findings import Findings
from lifecycle.workspace import Workspace
from registry import parallel_runs, pointer, versions
from registry.database import Connection, actor
from registry.errors import BadInput, NotFound, Refused
from registry.parallel_runs import Kind, ParallelRun
from registry.stages import SERVABLE


def start(workspace: Workspace, name: str, *, sample: float, canary: float) -> ParallelRun:
    """Have servers compare a version with the live one, on a share of the requests; answer a share of the users by it.

    Raises:
        BadInput: neither share is above 0.
        NotFound: there is no such version, or none is live.
        Refused: it is live itself or not ready, or another run is on.
    """
    if not sample and not canary:
        raise BadInput("Neither a sample nor a canary share was asked for.", "Give --sample, --canary or both.")
    with workspace.database.transaction() as connection:
        present = pointer.lock(connection)  # a move ends the run of its time, so none may begin beside one
        live = require_comparable(connection, name, present.live)
        run = parallel_runs.start(connection, Kind.LIVE, name, live, sample=sample, canary=canary, actor=actor())
        evidence = {"run": run.run_id, "against": live, "sample": sample, "canary": canary}
        pointer.audit(connection, "compare", name, actor=actor(), evidence=evidence)
    return run


def stop(workspace: Workspace) -> ParallelRun:
    """End the run that is on; what it found stays.

    Raises:
        NotFound: none is on.
    """
    with workspace.database.transaction() as connection:
        run = parallel_runs.end_open(connection)
        if run is None:
            raise NotFound("No parallel run is on.", "`autosort compare start VERSION` begins one.")
        pointer.audit(connection, "compare_end", run.candidate, actor=actor(), evidence={"run": run.run_id})
    return run


def found(workspace: Workspace, name: str, against: str | None = None) -> dict[Kind, Findings]:
    """What the latest runs of a version found, by default against the version that it was last compared with.

    Raises:
        NotFound: there is no such version, or it was never compared.
    """
    with workspace.database.transaction() as connection:
        versions.get(connection, name)
        opponent = against or parallel_runs.latest_opponent(connection, name)
        known = findings.latest(connection, name, opponent) if opponent else {}
    if not known:
        waits = f" with {opponent}" if opponent else ""
        raise NotFound(
            f"{name} was not compared{waits} yet, or nothing has come of it.",
            f"`autosort compare start {name}` compares on live requests, `autosort compare {name} --replay-recent 200` "
            "on songs of the catalogue.",
        )
    return known


def require_comparable(connection: Connection, name: str, against: str | None) -> str:
    """The version to compare with, if both can serve.

    Raises:
        NotFound: there is no such version, or none is live.
        Refused: it is the same, or one is not ready.
    """
    version = versions.get(connection, name)
    if against is None:
        raise NotFound(f"No version is live that {name} could be compared with.", f"`autosort promote {name}`.")
    if against == name:
        raise Refused(f"{name} would be compared with itself.", "Name another version.")
    for each in (version, versions.get(connection, against)):
        if each.stage not in SERVABLE:
            remedy = f"Run `autosort reembed {each.version}`."
            raise Refused(f"{each.version} is {each.stage}: it cannot answer.", remedy)
    return against
