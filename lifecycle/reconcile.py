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


@dataclass(frozen=True)
class _Work:
    """One reconciliation: what it works on, with what, and what it has done."""

    workspace: Workspace
    version: ModelVersion
    vectors: VectorSet
    encoder: "Callable[[], Encoder]"
    progress: Progress
    done: Reconciled


def reconcile(workspace: Workspace, name: str, progress: Progress) -> Reconciled:
    """Bring one version's vectors up to the catalogue, and make the version ready once they are whole.

    Raises:
        Refused: the version was retired or rejected.
        ArtifactError: its model is missing, unsafe or changed.
    """
    version = _open(workspace, name)
    encoder = cache(lambda: workspace.load_encoder(version.spec.embedder))
    work = _Work(workspace, version, VectorSet(version), encoder, progress, Reconciled(name))
    # Songs may change meanwhile; each round takes up what the last one could not see.
    for _ in range(_ROUNDS):
        coverage = _clean_up(work)
        if coverage.complete:
            break
        _embed_songs(work, coverage.missing + coverage.stale)
        _embed_playlists(work, coverage.playlists)
    with workspace.database.transaction() as connection:
        work.done.coverage = work.vectors.coverage(connection)
        if work.done.coverage.complete:
            _make_ready(connection, work)
    return work.done


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


def _clean_up(work: _Work) -> Coverage:
    """Render what changed, delete what is gone, and count what is left to do."""
    with work.workspace.database.transaction() as connection:
        catalogue.refresh_texts(connection)
        work.vectors.release_changed(connection)
        work.done.deleted += work.vectors.delete_orphans(connection)
        return work.vectors.coverage(connection)


def _make_ready(connection: Connection, work: _Work) -> None:
    work.vectors.attach(connection)
    if versions.get(connection, work.version.version).stage is Stage.EMBEDDING:
        versions.move(connection, work.version.version, Stage.READY)


def _embed_songs(work: _Work, waiting: int) -> None:
    if not waiting:
        return
    seen = 0
    with work.progress.task(f"Embedding songs for {work.version.version}", waiting) as advance:
        for page in _pages(work):
            texts = [render_song(each.song, work.version.spec.text_template) for each in page]
            embeddings, reasons = _embed(work.encoder(), texts)
            _write_page(work, page, embeddings, reasons)
            work.done.quarantined += len(reasons)
            work.done.embedded += len(page) - len(reasons)
            seen += len(page)
            advance(seen)


def _pages(work: _Work) -> Iterator[list[PendingSong]]:
    after = ""
    while True:
        with work.workspace.database.transaction() as connection:
            page = work.vectors.pending_songs(connection, after=after, limit=PAGE)
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


def _write_page(work: _Work, page: list[PendingSong], embeddings: Matrix, reasons: dict[int, str]) -> None:
    good = [row for row in range(len(page)) if row not in reasons]
    with work.workspace.database.transaction() as connection:
        work.vectors.write_songs(connection, [page[row] for row in good], embeddings[good])
        for row, reason in reasons.items():
            work.vectors.quarantine(connection, page[row], reason)


def _embed_playlists(work: _Work, waiting: int) -> None:
    after, seen = "", 0
    with work.progress.task(f"Embedding playlists for {work.version.version}", waiting) as advance:
        while page := _next_playlists(work, after):
            after = page[-1].playlist.playlist_id
            profiles = _fresh_profiles(work, page)
            with work.workspace.database.transaction() as connection:
                work.vectors.write_profiles(connection, profiles)
            work.done.profiles += len(page)
            seen += len(page)
            advance(seen)


def _next_playlists(work: _Work, after: str) -> list[PendingPlaylist]:
    with work.workspace.database.transaction() as connection:
        return work.vectors.pending_playlists(connection, after=after, limit=PAGE)


def _fresh_profiles(work: _Work, page: list[PendingPlaylist]) -> list[FreshProfile]:
    """Profiles of playlists; only texts that have changed are embedded."""
    template = work.version.spec.text_template
    texts = [render_playlist(each.playlist, template) for each in page]
    hashes = [content_hash(text, template) for text in texts]
    new = [row for row, each in enumerate(page) if each.known_hash != hashes[row]]
    embeddings = dict(zip(new, work.encoder().playlists([texts[row] for row in new]), strict=True)) if new else {}
    return [
        FreshProfile(each.playlist.playlist_id, each.revision, hashes[row], embeddings.get(row))
        for row, each in enumerate(page)
    ]
