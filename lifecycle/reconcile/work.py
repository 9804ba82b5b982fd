"""One reconciliation: what it works on, with what, and what it has done."""

from dataclasses import dataclass

from lifecycle.progress import Progress
from lifecycle.reconcile.encoders import Encoders
from lifecycle.workspace import Workspace
from registry.database import Connection, Database
from registry.vectors.claims import Crew, Kind
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


@dataclass
class Reconciled:
    """What this process did for one version, and what is left."""

    version: str
    embedded: int = 0
    profiles: int = 0
    deleted: int = 0
    quarantined: int = 0
    coverage: Coverage | None = None

    @property
    def did_anything(self) -> bool:
        """Whether anything was changed."""
        return any((self.embedded, self.profiles, self.deleted, self.quarantined))


@dataclass(frozen=True)
class Work:
    """What every part of a reconciliation needs."""

    workspace: Workspace
    version: ModelVersion
    vectors: VectorSet
    encoders: Encoders
    crew: Crew
    progress: Progress
    done: Reconciled

    @property
    def database(self) -> Database:
        return self.workspace.database

    def is_left(self, kind: Kind) -> bool:
        """Whether any are claimed by others, or wait to be taken over; asked by a worker that holds none itself."""

        def look(connection: Connection) -> bool:
            self.crew.let_go(connection, kind)
            return self.crew.open_claims(connection, kind) > 0

        return self.database.persist(look)
