"""Making a version's vectors match the catalogue: the one operation behind backfill, dual write and catch-up.

Missing and stale songs are embedded, what is gone is deleted, what cannot be embedded is set aside with the reason, and
playlists' profiles are brought up to date. Any number of processes may be at it; each write is committed by itself:
killed at any moment, the same call goes on where it stopped.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from lifecycle.compute.metering import Spend, unbilled
from lifecycle.progress import Progress
from lifecycle.reconcile.elsewhere import embedding_elsewhere
from lifecycle.reconcile.emotions import tell_emotions
from lifecycle.reconcile.encoders import Encoders
from lifecycle.reconcile.far_songs import embed_songs_far
from lifecycle.reconcile.finishing import ensure_index, show_if_whole
from lifecycle.reconcile.playlists import embed_playlists
from lifecycle.reconcile.songs import embed_songs
from lifecycle.reconcile.space import require_room
from lifecycle.reconcile.work import Reconciled, Work
from lifecycle.reconcile.worker import at_work
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.database import Connection
from registry.errors import DatabaseError
from registry.stages import GIVEN_UP, Stage, require_kept
from registry.vectors.claims import Kind
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

_ROUNDS = 5


def reconcile(
    workspace: Workspace,
    name: str,
    progress: Progress,
    *,
    encoders: Encoders | None = None,
    spend: Spend = unbilled,
) -> Reconciled:
    """Bring one version's vectors up to the catalogue, and make the version ready once they are whole.

    Args:
        encoders: models that are loaded already and stay so, for whoever reconciles again and again.
        spend: told what other machines worked for.

    Raises:
        Refused: the version was retired or rejected, the disk has no room, or too many songs had to be set aside.
        ArtifactError: its model is missing, unsafe or changed.
        EncoderBroken: its model runs but embeds nothing.
        DatabaseUnavailable: the database went away and did not come back.
    """
    version = workspace.database.persist(lambda connection: _open(connection, name))
    vectors, done = VectorSet(version), Reconciled(name)
    with (
        _unless_given_up(workspace, name),
        at_work(workspace.database, vectors, lambda: (done.embedded, done.quarantined)) as crew,
    ):
        known = encoders or Encoders(workspace, progress)
        work = Work(workspace, version, vectors, known, crew, progress, done, spend)
        coverage = _clean_up(work)
        require_room(workspace, coverage.missing, vectors.dimensions, progress)
        with embedding_elsewhere(work, coverage.missing + coverage.stale) as far:
            _embed(replace(work, far=far), coverage)
        done.coverage = show_if_whole(work)
    return done


def _embed(work: Work, coverage: Coverage) -> None:
    """Round by round: songs may change meanwhile, and each takes up what the last one could not see."""
    for _ in range(_ROUNDS):
        waiting = coverage.missing + coverage.stale
        if work.far is not None:
            embed_songs_far(work, work.far, waiting)
        else:
            embed_songs(work, waiting)
        tell_emotions(work)  # before the playlists, whose profiles are then made of songs that have them
        embed_playlists(work, coverage.playlists)
        ensure_index(work)
        coverage = _clean_up(work)
        if coverage.complete:
            return


def waiting_songs(workspace: Workspace, name: str | None = None) -> list[tuple[ModelVersion, int]]:
    """A version, or every one that could serve or is about to, with how many songs wait to be embedded for it.

    Raises:
        NotFound: there is no version of that name.
    """
    with workspace.database.transaction() as connection:
        named = [versions.get(connection, name)] if name else versions.list_all(connection)
        return [(each, _waiting(connection, each)) for each in named if each.stage not in GIVEN_UP]


def _waiting(connection: Connection, version: ModelVersion) -> int:
    vectors = VectorSet(version)
    if vectors.state(connection) is None:
        return catalogue.counts(connection)["songs"]
    coverage = vectors.coverage(connection)
    return coverage.missing + coverage.stale


def reconcile_all(workspace: Workspace, progress: Progress, *, spend: Spend = unbilled) -> list[Reconciled]:
    """Reconcile every version that could serve, or is about to."""
    return [reconcile(workspace, name, progress, spend=spend) for name in followed(workspace)]


def followed(workspace: Workspace) -> list[str]:
    """The versions whose vectors follow the catalogue: those that could serve, or are about to."""
    with workspace.database.transaction() as connection:
        return [each.version for each in versions.list_all(connection) if each.stage not in GIVEN_UP]


def _open(connection: Connection, name: str) -> ModelVersion:
    """The version, with tables for its vectors, at least in the stage of being embedded."""
    version = versions.get(connection, name)
    # Of several workers that find it registered only, one takes it further, and the others wait for that.
    stage = versions.lock(connection, name) if version.stage is Stage.REGISTERED else version.stage
    require_kept(name, stage)
    VectorSet(version).create(connection)
    if stage is Stage.REGISTERED:
        versions.move(connection, name, Stage.EMBEDDING)
    return version


@contextmanager
def _unless_given_up(workspace: Workspace, name: str) -> Iterator[None]:
    """Say so if the version was given up meanwhile: its tables are gone, and every query fails."""
    try:
        yield
    except DatabaseError:
        with workspace.database.transaction() as connection:
            require_kept(name, versions.get(connection, name).stage)
        raise


def _kinds(work: Work) -> tuple[Kind, ...]:
    return (Kind.SONGS, *((Kind.EMOTIONS,) if work.version.spec.matched_emotions else ()), Kind.PLAYLISTS)


def _clean_up(work: Work) -> Coverage:
    """Render what changed, delete what is gone, count what is left to do, and let the claims begin anew."""

    def clean_up(connection: Connection) -> tuple[int, Coverage]:
        catalogue.refresh_texts(connection)
        work.vectors.release_changed(connection)
        deleted = work.vectors.delete_orphans(connection)
        coverage = work.vectors.coverage(connection)
        for kind in _kinds(work):  # last: nobody can claim until this is committed
            work.crew.begin_round(connection, kind)
        return deleted, coverage

    deleted, coverage = work.database.persist(clean_up)
    work.done.deleted += deleted
    return coverage
