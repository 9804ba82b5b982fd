"""Making a version's vectors match the catalogue: the one operation behind backfill, dual write and catch-up.

Missing and stale songs are embedded, what is gone is deleted, what cannot be embedded is set aside with the reason,
and playlists' profiles are brought up to date. Work is committed page by page: killed at any moment, the same call goes
on where it stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.database import Connection
from registry.errors import AutosortError, Refused
from registry.stages import GIVEN_UP, Stage
from registry.texts import content_hash, render_playlist, render_song
from registry.vectors import Coverage, FreshProfile, Matrix, PendingPlaylist, PendingSong, VectorSet
from registry.versions import ModelVersion

if TYPE_CHECKING:
    from serving.encoder import Encoder

PAGE = 256
"""Songs that are embedded and committed together: what a killed process loses at most."""

_ROUNDS = 5


@dataclass
class Reconciled:
    """What was done for one version, and what is left."""

    version: str
    embedded: int = 0
    profiles: int = 0
    deleted: int = 0
    quarantined: int = 0
    coverage: Coverage | None = None


def reconcile(workspace: Workspace, name: str, progress: Progress) -> Reconciled:
    """Bring one version's vectors up to the catalogue, and make the version ready once they are whole.

    Raises:
        Refused: the version was retired or rejected.
        ArtifactError: its model is missing, unsafe or changed.
    """
    version = _open(workspace, name)
    vectors = VectorSet(version)
    encoder = cache(lambda: workspace.load_encoder(version.spec.embedder))
    done = Reconciled(name)
    # Songs may change meanwhile; each round takes up what the last one could not see.
    for _ in range(_ROUNDS):
        with workspace.database.transaction() as connection:
            catalogue.refresh_texts(connection)
            vectors.release_changed(connection)
            done.deleted += vectors.delete_orphans(connection)
            coverage = vectors.coverage(connection)
        if coverage.complete:
            break
        _embed_songs(workspace, vectors, version, encoder, coverage, done, progress)
        _embed_playlists(workspace, vectors, version, encoder, coverage, done, progress)
    with workspace.database.transaction() as connection:
        done.coverage = vectors.coverage(connection)
        if done.coverage.complete:
            _make_ready(connection, vectors, version.version)
    return done


def reconcile_all(workspace: Workspace, progress: Progress) -> list[Reconciled]:
    """Reconcile every version that could serve, or is about to."""
    with workspace.database.transaction() as connection:
        names = [each.version for each in versions.list_all(connection) if each.stage not in GIVEN_UP]
    return [reconcile(workspace, name, progress) for name in names]


def _open(workspace: Workspace, name: str) -> ModelVersion:
    """The version, with tables for its vectors, at least in the stage of being embedded."""
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
        if version.stage in GIVEN_UP:
            raise Refused(f"{name} is {version.stage}: its vectors are gone for good.", "See `autosort status`.")
        VectorSet(version).create(connection)
        if version.stage is Stage.REGISTERED:
            versions.move(connection, name, Stage.EMBEDDING)
    return version


def _make_ready(connection: Connection, vectors: VectorSet, version: str) -> None:
    vectors.attach(connection)
    if versions.get(connection, version).stage is Stage.EMBEDDING:
        versions.move(connection, version, Stage.READY)


def _embed_songs(
    workspace: Workspace,
    vectors: VectorSet,
    version: ModelVersion,
    encoder: "Callable[[], Encoder]",
    coverage: Coverage,
    done: Reconciled,
    progress: Progress,
) -> None:
    waiting = coverage.missing + coverage.stale
    if not waiting:
        return
    with progress.task(f"Embedding songs for {version.version}", waiting) as advance:
        seen = 0
        for page in _pages(workspace, vectors):
            texts = [render_song(each.song, version.spec.text_template) for each in page]
            embeddings, reasons = _embed(encoder(), texts)
            _write_page(workspace, vectors, page, embeddings, reasons)
            done.quarantined += len(reasons)
            done.embedded += len(page) - len(reasons)
            seen += len(page)
            advance(seen)


def _pages(workspace: Workspace, vectors: VectorSet) -> Iterator[list[PendingSong]]:
    after = ""
    while True:
        with workspace.database.transaction() as connection:
            page = vectors.pending_songs(connection, after=after, limit=PAGE)
        if not page:
            return
        after = page[-1].song.song_id
        yield page


def _embed(encoder: "Encoder", texts: Sequence[str]) -> tuple[Matrix, dict[int, str]]:
    """Vectors of texts; rows that cannot be embedded are zero and have a reason.

    A batch that fails is halved until the texts at fault stand alone.
    """
    try:
        embeddings = encoder.songs(texts)
    except AutosortError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model throws at one text must not stop the others
        if len(texts) == 1:
            return np.zeros((1, encoder.spec.dimensions), np.float32), {0: f"{type(error).__name__}: {error}"[:500]}
        return _embed_halves(encoder, texts)
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1) | (np.linalg.norm(embeddings, axis=1) < 0.5))  # noqa: PLR2004
    return embeddings, {int(row): "the model gives no finite vector of length 1" for row in bad}


def _embed_halves(encoder: "Encoder", texts: Sequence[str]) -> tuple[Matrix, dict[int, str]]:
    middle = len(texts) // 2
    left, left_reasons = _embed(encoder, texts[:middle])
    right, right_reasons = _embed(encoder, texts[middle:])
    reasons = left_reasons | {row + middle: reason for row, reason in right_reasons.items()}
    return np.concatenate([left, right]), reasons


def _write_page(
    workspace: Workspace,
    vectors: VectorSet,
    page: list[PendingSong],
    embeddings: Matrix,
    reasons: dict[int, str],
) -> None:
    good = [row for row in range(len(page)) if row not in reasons]
    with workspace.database.transaction() as connection:
        vectors.write_songs(connection, [page[row] for row in good], embeddings[good])
        for row, reason in reasons.items():
            vectors.quarantine(connection, page[row], reason)


def _embed_playlists(
    workspace: Workspace,
    vectors: VectorSet,
    version: ModelVersion,
    encoder: "Callable[[], Encoder]",
    coverage: Coverage,
    done: Reconciled,
    progress: Progress,
) -> None:
    after = ""
    with progress.task(f"Embedding playlists for {version.version}", coverage.playlists) as advance:
        seen = 0
        while page := _next_playlists(workspace, vectors, after):
            after = page[-1].playlist.playlist_id
            profiles = _fresh_profiles(version, encoder, page)
            with workspace.database.transaction() as connection:
                vectors.write_profiles(connection, profiles)
            done.profiles += len(page)
            seen += len(page)
            advance(seen)


def _next_playlists(workspace: Workspace, vectors: VectorSet, after: str) -> list[PendingPlaylist]:
    with workspace.database.transaction() as connection:
        return vectors.pending_playlists(connection, after=after, limit=PAGE)


def _fresh_profiles(
    version: ModelVersion, encoder: "Callable[[], Encoder]", page: list[PendingPlaylist]
) -> list[FreshProfile]:
    """Profiles of playlists; only texts that have changed are embedded."""
    template = version.spec.text_template
    texts = [render_playlist(each.playlist, template) for each in page]
    hashes = [content_hash(text, template) for text in texts]
    new = [row for row, each in enumerate(page) if each.known_hash != hashes[row]]
    embeddings = dict(zip(new, encoder().playlists([texts[row] for row in new]), strict=True)) if new else {}
    return [
        FreshProfile(each.playlist.playlist_id, each.revision, hashes[row], embeddings.get(row))
        for row, each in enumerate(page)
    ]
