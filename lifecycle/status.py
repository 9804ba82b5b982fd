"""What there is and how it stands: versions, stages, coverage, the live pointer, what is set aside."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from lifecycle.workspace import Workspace
from registry import catalogue, parallel_runs, pins, pointer, remote_work, servers, versions
from registry.database import Connection
from registry.errors import NotFound
from registry.stages import GIVEN_UP
from registry.vectors.claims import WorkerStanding, list_workers
from registry.vectors.vector_set import VectorSet, list_quarantine
from registry.versions import ModelVersion


def read_status(workspace: Workspace) -> dict[str, Any]:
    """The state of everything, as one JSON object."""
    with workspace.database.transaction() as connection:
        present = pointer.read(connection)
        counts = catalogue.counts(connection)
        return {
            "generation": present.generation,
            "live": present.live,
            "previous": present.previous,
            "candidate": present.candidate,
            "versions": _versions(connection, counts["songs"]),
            "catalogue": counts,
            "quarantine": [{**row, "since": row["since"].isoformat()} for row in list_quarantine(connection)],
            "servers": [_server(each, present.generation) for each in servers.list_alive(connection)],
            "parallel_run": _run(parallel_runs.find_open(connection)),
            "workers": [_worker(each) for each in list_workers(connection)],
            "remote_work": [_remote(each) for each in remote_work.list_open(connection)],
            "database": workspace.database.name,
            "home": str(workspace.settings.home),
        }


def read_served_at(workspace: Workspace, moment: datetime) -> dict[str, Any]:
    """Which version was live at a moment, by which act, and until when.

    Raises:
        NotFound: none was.
    """
    with workspace.database.transaction() as connection:
        found = pointer.served_at(connection, moment)
    if found is None:
        raise NotFound(f"Nothing was live at {moment.isoformat(sep=' ')}.", "`autosort history` lists every move.")
    entry, until = found
    return {
        "moment": moment.isoformat(),
        "version": entry.version,
        "since": entry.at.isoformat(),
        "until": until.isoformat() if until else None,
        "generation": entry.generation,
        "move": {**asdict(entry), "at": entry.at.isoformat()},
    }


def read_history(workspace: Workspace, *, limit: int) -> list[dict[str, Any]]:
    """The latest acts of the audit log, newest first."""
    with workspace.database.transaction() as connection:
        entries = pointer.history(connection, limit=limit)
    return [{**asdict(entry), "at": entry.at.isoformat()} for entry in entries]


def _versions(connection: Connection, songs: int) -> list[dict[str, Any]]:
    pinned = pins.list_all(connection)
    return [_version(connection, each, songs, pinned.get(each.version)) for each in versions.list_all(connection)]


def _version(connection: Connection, version: ModelVersion, songs: int, pin: pins.Pin | None) -> dict[str, Any]:
    spec = version.spec
    return {
        "version": version.version,
        "stage": version.stage.value,
        "base_model": spec.embedder.base_model,
        "dimensions": spec.embedder.dimensions,
        "artifact": spec.embedder.artifact,
        "dataset": spec.training.dataset if spec.training else None,
        "registered_at": version.registered_at.isoformat(),
        "pinned": pin.reason if pin else None,
        **_vectors(connection, version, songs),
    }


def _remote(work: remote_work.RemoteWork) -> dict[str, Any]:
    """Work far away that is not over: whether it runs or waits, for what, and since when."""
    return {
        "kind": work.kind.value,
        "key": work.key[:16],
        "state": work.state.value,
        "call": work.call_id,
        "attempts": work.attempts,
        "due_at": work.due_at.isoformat(),
        "reason": work.reason,
        "asked_at": work.asked_at.isoformat(),
        "actor": work.actor,
    }


def _run(run: parallel_runs.ParallelRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    shares = {"sample": run.sample, "canary": run.canary}
    return {"candidate": run.candidate, "live": run.live, **shares, "started_at": run.started_at.isoformat()}


def _worker(worker: WorkerStanding) -> dict[str, Any]:
    speed = worker.embedded / worker.seconds if worker.seconds else 0.0
    return {**asdict(worker), "seconds": round(worker.seconds, 1), "songs_per_second": round(speed, 1)}


def _server(server: servers.Server, generation: int) -> dict[str, Any]:
    return {
        "server": server.server,
        "version": server.version,
        "generation": server.generation,
        "follows": server.generation == generation,
        "warm": list(server.warm),
        "problem": server.problem,
        "started_at": server.started_at.isoformat(),
        "seen_at": server.seen_at.isoformat(),
    }


def _vectors(connection: Connection, version: ModelVersion, songs: int) -> dict[str, Any]:
    if version.stage in GIVEN_UP:
        return {"coverage": None, "index_recall": None}
    vectors = VectorSet(version)
    state = vectors.state(connection)
    if state is None:
        nothing = {"missing": songs, "stale": 0, "quarantined": 0, "orphaned": 0}
        return {"coverage": nothing, "index_recall": None}
    return {"coverage": asdict(vectors.coverage(connection)), "index_recall": state.index_recall}
