"""Playlists' profiles: the text's vector, and what their songs' vectors and sounds come to."""

import time

from lifecycle.reconcile.work import Work
from registry.database import Connection
from registry.texts import content_hash, render_playlist
from registry.vectors.claims import Kind
from registry.vectors.records import FreshProfile, PendingPlaylist, Vector

_PAGE = 256
_IDLE_SECONDS = 0.3


def embed_playlists(work: Work, waiting: int) -> None:
    """Bring profiles up to date, until nobody claims any more; returns when the other workers are done too."""
    if not waiting:
        return
    seen = 0
    with work.progress.task(f"Embedding playlists for {work.version.version}", waiting, unit="playlists") as advance:
        while True:
            claimed = work.database.persist(lambda connection: work.crew.claim_playlists(connection, limit=_PAGE))
            if claimed is None:
                if not work.is_left(Kind.PLAYLISTS):
                    return
                time.sleep(_IDLE_SECONDS)
                continue
            claim, page = claimed
            profiles = _fresh_profiles(work, page)

            def write(connection: Connection) -> None:
                work.vectors.write_profiles(connection, profiles)  # noqa: B023 - done with before the next round
                work.crew.release(connection, [claim])  # noqa: B023

            work.database.persist(write)
            work.done.profiles += len(page)
            seen += len(page)
            advance(seen)


def _fresh_profiles(work: Work, page: list[PendingPlaylist]) -> list[FreshProfile]:
    """Profiles of playlists; only texts that have changed are embedded."""
    template = work.version.spec.text_template
    texts = [render_playlist(each.playlist, template) for each in page]
    hashes = [content_hash(text, template) for text in texts]
    new = [row for row, each in enumerate(page) if each.known_hash != hashes[row]]
    embeddings: dict[int, Vector] = {}
    if new:
        vectors = (work.far or work.encoders.of(work.version)).playlists([texts[row] for row in new])
        embeddings = dict(zip(new, vectors, strict=True))
    return [
        FreshProfile(each.playlist.playlist_id, each.revision, hashes[row], embeddings.get(row))
        for row, each in enumerate(page)
    ]
