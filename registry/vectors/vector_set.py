"""The vectors of model versions: one table per version, standing apart until it is whole, then attached.

Songs' vectors and playlists' profiles (text vector, centroid of the songs' vectors, means of their audio features)
follow the same rules. Vectors are halfvec, of length 1; similarity is the inner product.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pgvector import HalfVector
from psycopg import sql
from psycopg.errors import UniqueViolation

from registry.catalogue import song_from_row
from registry.database import Connection
from registry.emotion_scores import EmotionScores
from registry.errors import DatabaseError
from registry.queries import load_queries
from registry.records import Playlist, Removal
from registry.vectors.records import (
    MOST_MEMBERS,
    Coverage,
    FreshProfile,
    Matrix,
    Member,
    PendingPlaylist,
    PendingSong,
    StoredProfile,
    Vector,
    VectorSetState,
)
from registry.versions import ModelVersion

_SQL = load_queries("vectors")


class VectorSet:
    """The tables of one version's vectors and everything that is done with them."""

    def __init__(self, version: ModelVersion) -> None:
        dimensions = version.spec.embedder.dimensions
        self.version = version.version
        self.dimensions = dimensions
        self._template = version.spec.text_template
        self._emotions = EmotionScores.of(version.spec)
        self.names = {
            "songs": f"song_vectors_{dimensions}",
            "playlists": f"playlist_vectors_{dimensions}",
            "version_songs": f"song_vectors_{dimensions}_{version.version}",
            "version_playlists": f"playlist_vectors_{dimensions}_{version.version}",
            "index": f"song_vectors_{dimensions}_{version.version}_hnsw",
        }

    # Building -------------------------------------------------------------------------------------------------------

    def create(self, connection: Connection) -> None:
        """Make the version's tables, unless they are on the books; then nobody is waited for."""
        if self.state(connection) is not None:
            return
        connection.execute(_SQL["lock_layout"])
        if self.state(connection) is not None:  # somebody else made them meanwhile
            return
        for name in ("create_parents", "create_tables", "open_set"):
            connection.execute(self.query(name))

    def pending_songs(
        self,
        connection: Connection,
        *,
        after: str = "",
        until: str | None = None,
        limit: int | None = None,
        only: Sequence[str] | None = None,
    ) -> list[PendingSong]:
        """Songs beyond an id, up to another or as many as `limit`, whose vector is missing or stale; by id.

        Args:
            only: look at the songs of these ids alone.
        """
        rows = connection.execute(self.query("pending_songs"), _range(after, until, limit, only))
        return [PendingSong(song_from_row(row), bytes(row["content_hash"]), row["replaces"]) for row in rows]

    def write_songs(self, connection: Connection, pending: Sequence[PendingSong], embeddings: Matrix) -> None:
        """Write the vectors, shape (len(pending), dimensions), of songs; one there already is replaced.

        Where none is, they are copied straight into the table, unless somebody was faster.
        """
        # Halved all at once: row by row that takes as long as sending them.
        rows = list(zip(pending, embeddings.astype(np.float16), strict=True))
        if not any(each.replaces for each in pending):
            try:
                with connection.transaction():
                    self._copy(connection, self.query("copy_new"), rows)
            except UniqueViolation:
                pass
            else:
                return
        connection.execute(self.query("create_incoming"))
        self._copy(connection, _SQL["copy_incoming"], rows)
        connection.execute(self.query("merge_incoming"))
        connection.execute(_SQL["drop_incoming"])

    def settle_precision(self, connection: Connection, precision: str) -> str:
        """Record what songs of this version are embedded in, unless that is settled; return what holds."""
        row = connection.execute(self.query("settle_precision"), {"precision": precision}).fetchone()
        return str(row["precision"]) if row else precision

    def quarantine(self, connection: Connection, pending: PendingSong, reason: str) -> None:
        """Set a song aside that cannot be embedded as it is; the vector of how it was before is deleted."""
        parameters = {"song_id": pending.song.song_id, "content_hash": pending.content_hash, "reason": reason}
        for name in ("write_quarantine", "delete_outdated"):
            connection.execute(self.query(name), parameters)

    def release_changed(self, connection: Connection) -> None:
        """Take songs that have changed since out of quarantine."""
        connection.execute(self.query("release_quarantine"))

    def delete_orphans(self, connection: Connection) -> int:
        """Delete the vectors and profiles of what is no longer in the catalogue; return how many."""
        songs = connection.execute(self.query("delete_orphans")).rowcount
        profiles = connection.execute(self.query("delete_orphaned_profiles")).rowcount
        if profiles:
            connection.execute(self.query("bump_profiles"))
        return songs + profiles

    def forget(self, connection: Connection, removal: Removal) -> None:
        """Delete the vector of a song, or the profile of a playlist, that has left the catalogue."""
        connection.execute(self.query("forget_song"), {"song_id": removal.song_id})
        profiles = connection.execute(self.query("forget_playlist"), {"playlist_id": removal.playlist_id}).rowcount
        if profiles:
            connection.execute(self.query("bump_profiles"))

    def pending_playlists(
        self,
        connection: Connection,
        *,
        after: str = "",
        until: str | None = None,
        limit: int | None = None,
        only: Sequence[str] | None = None,
    ) -> list[PendingPlaylist]:
        """Playlists beyond an id, up to another or as many as `limit`, whose profile is missing or stale; by id.

        Args:
            only: look at the playlists of these ids alone.
        """
        rows = connection.execute(self.query("pending_playlists"), _range(after, until, limit, only))
        return [_pending_playlist(row) for row in rows]

    def write_profiles(self, connection: Connection, profiles: Sequence[FreshProfile]) -> None:
        """Write playlists' profiles; centroids are computed from the vectors that are there now."""
        embeddings = [None if each.embedding is None else HalfVector(each.embedding) for each in profiles]
        parameters = {
            "playlist_ids": [each.playlist_id for each in profiles],
            "revisions": [each.revision for each in profiles],
            "hashes": [each.text_hash for each in profiles],
            "embeddings": [None if each is None else each.to_text() for each in embeddings],
        }
        connection.execute(self.query("write_profiles"), parameters)
        connection.execute(self.query("bump_profiles"))

    def attach(self, connection: Connection) -> None:
        """Check the version's vectors and make them visible: all or nothing. Its index has been built before.

        Raises:
            DatabaseError: a vector of a song or of a playlist's text is not of length 1 or not a number.
        """
        connection.execute(_SQL["lock_layout"])
        state = self.state(connection)
        if state is not None and state.attached:
            return
        self._check_whole(connection)
        for name in ("attach", "mark_attached"):
            connection.execute(self.query(name))

    # Reading --------------------------------------------------------------------------------------------------------

    def state(self, connection: Connection) -> VectorSetState | None:
        """What the books say, or `None` if the version's tables have not been made."""
        row = connection.execute(_SQL["read_set"], {"version": self.version}).fetchone()
        return VectorSetState(**row) if row else None

    def coverage(self, connection: Connection) -> Coverage:
        """Catalogue against vectors. The version's tables must have been made."""
        row = connection.execute(self.query("coverage")).fetchone()
        return Coverage(**(row or {}))

    def song_vectors(self, connection: Connection, song_ids: Sequence[str]) -> dict[str, Vector]:
        """The vectors of those of these songs that have a current one."""
        rows = connection.execute(self.query("song_vectors"), {"song_ids": list(song_ids)})
        return {row["song_id"]: _array(row["embedding"]) for row in rows}

    def quarantined(self, connection: Connection, song_ids: Sequence[str]) -> dict[str, str]:
        """Those of these songs that are set aside as they are now, each with the reason."""
        rows = connection.execute(self.query("quarantined"), {"song_ids": list(song_ids)})
        return {row["song_id"]: row["reason"] for row in rows}

    def profiles(self, connection: Connection, known: Iterable[StoredProfile] = ()) -> list[StoredProfile]:
        """Every playlist as this version knows it, by id.

        Args:
            known: as read before, of this version; of these, what has not changed since is given back as it is.
        """
        rows = connection.execute(self.query("profile_revisions"))
        current = {row["playlist_id"]: row["revision"] for row in rows}
        kept = {
            each.playlist.playlist_id: each
            for each in known
            if each.revision and each.revision == current.get(each.playlist.playlist_id)
        }
        found = kept | self._read_profiles(connection, [each for each in current if each not in kept])
        return [found[each] for each in current if each in found]

    # Inside ---------------------------------------------------------------------------------------------------------

    def _read_profiles(self, connection: Connection, playlist_ids: Sequence[str]) -> dict[str, StoredProfile]:
        if not playlist_ids:
            return {}
        members: dict[str, list[Member]] = {}
        for row in connection.execute(self.query("members"), {"playlist_ids": playlist_ids, "most": MOST_MEMBERS}):
            vector = None if row["embedding"] is None else _array(row["embedding"])
            members.setdefault(row["playlist_id"], []).append(Member(song_from_row(row), vector))
        if self._emotions is not None:
            members = _with_emotions(members, self._emotions, connection)
        rows = connection.execute(self.query("profiles"), {"playlist_ids": playlist_ids})
        return {row["playlist_id"]: _stored_profile(row, members.get(row["playlist_id"], ())) for row in rows}

    def query(self, name: str, room: Mapping[str, sql.SQL] = _SQL) -> sql.Composed:
        """A query with the version's own tables and the literal version in it."""
        names = {key: sql.Identifier(value) for key, value in self.names.items()}
        return room[name].format(
            **names,
            version=sql.Literal(self.version),
            dimensions=sql.Literal(self.dimensions),
            template=sql.Literal(self._template),
        )

    def _copy(
        self, connection: Connection, query: sql.Composed | sql.SQL, rows: Sequence[tuple[PendingSong, Vector]]
    ) -> None:
        with connection.cursor().copy(query) as copy:
            copy.set_types(["text", "text", "bytea", "halfvec"])
            for each, embedding in rows:
                copy.write_row((self.version, each.song.song_id, each.content_hash, HalfVector(embedding)))

    def _check_whole(self, connection: Connection) -> None:
        row = connection.execute(self.query("check_whole")).fetchone() or {}
        if row["bad"]:
            raise DatabaseError(
                f"{row['bad']} of the {row['rows']} vectors of {self.version} are not unit vectors of this version.",
                f"The version stays invisible. Run `autosort retire {self.version}`, then register it anew.",
            )


def list_quarantine(connection: Connection, *, limit: int = 100) -> list[dict[str, Any]]:
    """Songs set aside, of all versions: version, song id, reason and since when; the oldest first."""
    return connection.execute(_SQL["list_quarantine"], {"limit": limit}).fetchall()


def _range(after: str, until: str | None, limit: int | None, only: Sequence[str] | None) -> dict[str, Any]:
    return {"after": after, "until": until, "limit": limit, "only": None if only is None else list(only)}


def _pending_playlist(row: dict[str, Any]) -> PendingPlaylist:
    revision, known_hash = row.pop("revision"), row.pop("known_hash")
    return PendingPlaylist(Playlist.model_construct(**row), revision, None if known_hash is None else bytes(known_hash))


def _stored_profile(row: dict[str, Any], members: Iterable[Member]) -> StoredProfile:
    fields = {name: row[name] for name in Playlist.model_fields}
    return StoredProfile(
        playlist=Playlist.model_construct(**fields),
        embedding=_array(row["embedding"]),
        centroid=None if row["centroid"] is None else _array(row["centroid"]),
        song_count=row["song_count"],
        acoustic=row["acoustic"],
        members=tuple(members),
        revision=row["revision"],
    )


def _with_emotions(
    members: Mapping[str, Sequence[Member]], scores: EmotionScores, connection: Connection
) -> dict[str, list[Member]]:
    felt = scores.read(connection, sorted({each.song.song_id for held in members.values() for each in held}))
    return {
        playlist: [replace(each, emotions=felt.get(each.song.song_id)) for each in held]
        for playlist, held in members.items()
    }


def _array(vector: HalfVector) -> Vector:
    return np.asarray(vector.to_numpy(), dtype=np.float32)
