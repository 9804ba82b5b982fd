"""Going through a rollback on the running system up to its last step, which is undone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lifecycle.rollback import catch_up_seconds, move_back, require_retained, target_of
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, servers, versions
from registry.errors import Refused
from registry.vectors.records import Coverage
from registry.vectors.search import uses_index
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


@dataclass(frozen=True)
class Drill:
    """What a rollback would do, found out without doing it.

    Attributes:
        seconds: what each step took now.
        cold: servers that would have to load the version first, each with its problem, if it has one.
        catch_up_seconds: how long embedding what is lacking would take, about.
    """

    live: str
    target: str
    coverage: Coverage
    index_used: bool
    seconds: dict[str, float]
    servers: int
    cold: dict[str, str | None]
    catch_up_seconds: float

    @property
    def ready(self) -> bool:
        """Whether it would work at once and lose nothing."""
        return self.coverage.complete and self.index_used and not self.cold

    def as_json(self) -> dict[str, Any]:
        """The drill as a JSON object."""
        return {**asdict(self), "ready": self.ready}


def drill(workspace: Workspace, name: str | None = None) -> Drill:
    """Go through a rollback on the running system up to its last step, which is undone.

    Raises:
        Refused: there is nothing to go back to, the version never served, or it was retired.
        ArtifactError: the version's model is missing, unsafe or changed.
    """
    seconds: dict[str, float] = {}
    with workspace.database.transaction() as connection:
        before = pointer.read(connection)
        version = versions.get(connection, name or target_of(connection, before))
        running = servers.list_alive(connection)
    if before.live is None or before.live == version.version:
        raise Refused(f"{version.version} is live already.", "Name another version.")
    require_retained(version)
    with _timed(seconds, "artifact"):
        for digest in version.spec.artifacts:
            workspace.artifacts.verified(digest)
    with _timed(seconds, "answer"):
        _answer_with(workspace, version)
    vectors = VectorSet(version)
    with _timed(seconds, "coverage"), workspace.database.transaction() as connection:
        catalogue.refresh_texts(connection)
        coverage = vectors.coverage(connection)
        used = uses_index(connection, vectors)
    with (
        _timed(seconds, "move"),
        workspace.database.transaction() as connection,
        connection.transaction(force_rollback=True),
    ):
        move_back(connection, version, before, "drill", {"drill": True})
    return Drill(
        live=before.live,
        target=version.version,
        coverage=coverage,
        index_used=used,
        seconds=seconds,
        servers=len(running),
        cold={each.server: each.problem for each in running if version.version not in each.warm},
        catch_up_seconds=catch_up_seconds(workspace, version, coverage),
    )


def _answer_with(workspace: Workspace, version: ModelVersion) -> None:
    """Match one song with the version, from its model to its answer."""
    from lifecycle.matching import answering_of
    from serving.matching import matcher

    with workspace.database.transaction() as connection:
        answering = answering_of(workspace, connection, version)
        songs = catalogue.recent_songs(connection, limit=1)
    matcher.match(answering, songs, matcher.Recorded({}, {}), top_k=1)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - begun, 4)
