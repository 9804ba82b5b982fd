"""One reconciliation: what it works on, with what, and what it has done."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifecycle.compute.metering import Spend, unbilled
from lifecycle.progress import Progress
from lifecycle.reconcile.encoders import Encoders
from lifecycle.workspace import Workspace
from registry.database import Connection, Database
from registry.vectors.claims import Crew, Kind
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

if TYPE_CHECKING:
    from lifecycle.compute.far_embedding import FarEmbedding


@dataclass
class Reconciled:
    """What this process did for one version, and what is left; for how long containers far away worked for it."""

    version: str
    embedded: int = 0
    profiles: int = 0
    deleted: int = 0
    quarantined: int = 0
    felt: int = 0
    coverage: Coverage | None = None

    @property
    def did_anything(self) -> bool:
        """Whether anything was changed."""
        return any((self.embedded, self.profiles, self.deleted, self.quarantined, self.felt))


@dataclass(frozen=True)
class Work:
    """What every part of a reconciliation needs.

    Attributes:
        spend: told what other machines worked for.
        far: the model on these, where texts are embedded there.
    """

    workspace: Workspace
    version: ModelVersion
    vectors: VectorSet
    encoders: Encoders
    crew: Crew
    progress: Progress
    done: Reconciled
    spend: Spend = unbilled
    far: "FarEmbedding | None" = None

    @property
    def database(self) -> Database:
        return self.workspace.database

    def is_left(self, kind: Kind) -> bool:
        """Whether any are claimed by others, or wait to be taken over; asked by a worker that holds none itself."""

        def look(connection: Connection) -> bool:
            self.crew.let_go(connection, kind)
            return self.crew.open_claims(connection, kind) > 0

        return self.database.persist(look)
