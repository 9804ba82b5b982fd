"""What there is and how it stands: versions, stages, coverage, the live pointer, what is set aside."""

from dataclasses import asdict
from typing import Any

from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.database import Connection
from registry.stages import GIVEN_UP
from registry.vectors import VectorSet, list_quarantine
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
            "versions": [_version(connection, each, counts["songs"]) for each in versions.list_all(connection)],
            "catalogue": counts,
            "quarantine": [{**row, "since": row["since"].isoformat()} for row in list_quarantine(connection)],
            "database": workspace.database.name,
            "home": str(workspace.settings.home),
        }


def read_history(workspace: Workspace, *, limit: int) -> list[dict[str, Any]]:
    """The latest acts of the audit log, newest first."""
    with workspace.database.transaction() as connection:
        entries = pointer.history(connection, limit=limit)
    return [{**asdict(entry), "at": entry.at.isoformat()} for entry in entries]


def _version(connection: Connection, version: ModelVersion, songs: int) -> dict[str, Any]:
    spec = version.spec
    return {
        "version": version.version,
        "stage": version.stage.value,
        "base_model": spec.embedder.base_model,
        "dimensions": spec.embedder.dimensions,
        "artifact": spec.embedder.artifact,
        "dataset": spec.training.dataset if spec.training else None,
        "registered_at": version.registered_at.isoformat(),
        **_vectors(connection, version, songs),
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
