"""The vectors of model versions: one table per version, standing apart until it is whole, then attached.

Songs' vectors and playlists' profiles (text vector, centroid of the songs' vectors, means of their audio features)
follow the same rules. Vectors are halfvec, of length 1; similarity is the inner product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pgvector import HalfVector
from psycopg import sql

from registry.catalogue import song_from_row
from registry.database import Connection, Database
from registry.errors import BadInput, DatabaseError
from registry.queries import load_queries
from registry.records import Playlist, Song
from registry.versions import ModelVersion

Matrix = npt.NDArray[np.float32]

_SQL = load_queries("vectors")
_PROBES = 50
_PROBE_NEIGHBOURS = 20
_EF_SEARCH = 100
_MOST_NEIGHBOURS = 1_000  # pgvector's limit on hnsw.ef_search, beyond which an index finds no more


@dataclass(frozen=True)
class Coverage:
    """Catalogue against a version's vectors: songs by what is wrong with them, playlists without a current profile."""

    missing: int
    stale: int
    quarantined: int
    orphaned: int
    playlists: int

    @property
    def complete(self) -> bool:
        """Whether the version could answer for the whole catalogue, save for what is quarantined."""
        return self.missing == self.stale == self.orphaned == self.playlists == 0


@dataclass(frozen=True)
class VectorSetState:
    """What the books say of a version's vectors; `index_recall` is recall@20 against exact search when attached."""

    version: str
    dimensions: int
    attached: bool
    index_recall: float | None
    profiles_revision: int


@dataclass(frozen=True)
class PendingSong:
    """A song whose vector is missing or stale, and the content hash that its new vector will carry."""

    song: Song
    content_hash: bytes


@dataclass(frozen=True)
class PendingPlaylist:
    """A playlist whose profile is missing or stale; `known_hash` is that of the text embedded last."""

    playlist: Playlist
    revision: int
    known_hash: bytes | None


@dataclass(frozen=True)
class FreshProfile:
    """A playlist's new text vector (`None`: the text has not changed), for the revision it was read at."""

    playlist_id: str
    revision: int
    text_hash: bytes
    embedding: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class StoredProfile:
    """A playlist as a version knows it. Vectors have length 1 and the version's dimensions."""

    playlist: Playlist
    embedding: npt.NDArray[np.float32]
    centroid: npt.NDArray[np.float32] | None
    song_count: int
    acoustic: dict[str, float]


class VectorSet:
    """The tables of one version's vectors and everything that is done with them."""

    def __init__(self, version: ModelVersion) -> None:
        dimensions = version.spec.embedder.dimensions
        self.version = version.version
        self.dimensions = dimensions
        self._template = version.spec.text_template
        self._names = {
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
            connection.execute(self._query(name))

    def pending_songs(self, connection: Connection, *, after: str, limit: int) -> list[PendingSong]:
        """The next songs by id whose vector is missing or stale."""
        rows = connection.execute(self._query("pending_songs"), {"after": after, "limit": limit})
        return [PendingSong(song_from_row(row), bytes(row["content_hash"])) for row in rows]

    def write_songs(self, connection: Connection, pending: Sequence[PendingSong], embeddings: Matrix) -> None:
        """Write the vectors, shape (len(pending), dimensions), of songs; one there already is replaced."""
        connection.execute(self._query("create_incoming"))
        with connection.cursor().copy(_SQL["copy_incoming"]) as copy:
            copy.set_types(["text", "bytea", "halfvec"])
            for each, embedding in zip(pending, embeddings, strict=True):
                copy.write_row((each.song.song_id, each.content_hash, HalfVector(embedding)))
        connection.execute(self._query("merge_incoming"))
        connection.execute(_SQL["drop_incoming"])

    def quarantine(self, connection: Connection, pending: PendingSong, reason: str) -> None:
        """Set a song aside that cannot be embedded as it is; the vector of how it was before is deleted."""
        parameters = {"song_id": pending.song.song_id, "content_hash": pending.content_hash, "reason": reason}
        for name in ("write_quarantine", "delete_outdated"):
            connection.execute(self._query(name), parameters)

    def release_changed(self, connection: Connection) -> None:
        """Take songs that have changed since out of quarantine."""
        connection.execute(self._query("release_quarantine"))

    def delete_orphans(self, connection: Connection) -> int:
        """Delete the vectors and profiles of what is no longer in the catalogue; return how many."""
        songs = connection.execute(self._query("delete_orphans")).rowcount
        profiles = connection.execute(self._query("delete_orphaned_profiles")).rowcount
        if profiles:
            connection.execute(self._query("bump_profiles"))
        return songs + profiles

    def pending_playlists(self, connection: Connection, *, after: str, limit: int) -> list[PendingPlaylist]:
        """The next playlists by id whose profile is missing or stale."""
        rows = connection.execute(self._query("pending_playlists"), {"after": after, "limit": limit})
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
        connection.execute(self._query("write_profiles"), parameters)
        connection.execute(self._query("bump_profiles"))

    def attach(self, connection: Connection) -> VectorSetState:
        """Check the version's vectors, index them, measure the index and make them visible: all or nothing.

        Raises:
            DatabaseError: a vector of a song or of a playlist's text is not of length 1 or not a number.
        """
        connection.execute(_SQL["lock_layout"])
        state = self.state(connection)
        if state is not None and state.attached:
            return state
        self._check_whole(connection)
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        for name in ("create_index", "analyze"):
            connection.execute(self._query(name))
        recall = self.measure_recall(connection)
        connection.execute(self._query("attach"))
        connection.execute(self._query("mark_attached"), {"recall": recall})
        return VectorSetState(self.version, self.dimensions, True, recall, state.profiles_revision if state else 0)

    def drop(self, database: Database) -> None:
        """Free the disk of the version's vectors, without waiting for readers of others; safe to repeat."""
        with database.autocommit() as connection:
            connection.execute("SET lock_timeout = '10s'")
            try:
                self._detach(connection, "songs", "version_songs")
                self._detach(connection, "playlists", "version_playlists")
                with connection.transaction():
                    for name in ("drop_tables", "drop_quarantine", "close_set"):
                        connection.execute(self._query(name))
            finally:
                connection.execute("RESET lock_timeout")

    # Reading --------------------------------------------------------------------------------------------------------

    def state(self, connection: Connection) -> VectorSetState | None:
        """What the books say, or `None` if the version's tables have not been made."""
        row = connection.execute(_SQL["read_set"], {"version": self.version}).fetchone()
        return VectorSetState(**row) if row else None

    def coverage(self, connection: Connection) -> Coverage:
        """Catalogue against vectors. The version's tables must have been made."""
        row = connection.execute(self._query("coverage")).fetchone()
        return Coverage(**(row or {}))

    def index_valid(self, connection: Connection) -> bool:
        """Whether the version's nearest-neighbour index is there and usable."""
        row = connection.execute(_SQL["index_valid"], {"index": self._names["index"]}).fetchone()
        return bool(row and row["valid"])

    def measure_recall(self, connection: Connection) -> float:
        """Recall@20 of the index against exact search, over 50 of the version's own vectors.

        Neighbours are compared by distance, so that songs with equal vectors count as found either way.
        """
        probes = connection.execute(self._query("probe_vectors"), {"limit": _PROBES}).fetchall()
        found = wanted = 0
        for probe in probes:
            exact = self._distances(connection, probe["embedding"], by_index=False)
            approximate = self._distances(connection, probe["embedding"], by_index=True)
            wanted += len(exact)
            found += sum(distance <= exact[-1] + 1e-6 for distance in approximate)
        return found / wanted if wanted else 1.0

    def nearest_songs(
        self, connection: Connection, vector: npt.NDArray[np.float32], *, k: int
    ) -> list[tuple[str, float]]:
        """The k songs nearest to a vector of this version: (song id, cosine), nearest first.

        Args:
            k: at most 1000, as many as the index can find.

        Raises:
            BadInput: k is larger.
        """
        if k > _MOST_NEIGHBOURS:
            raise BadInput(f"{k} nearest songs were asked for.", f"Ask for at most {_MOST_NEIGHBOURS}.")
        connection.execute(f"SET LOCAL hnsw.ef_search = {max(_EF_SEARCH, k)}")
        rows = connection.execute(self._query("nearest_songs"), {"vector": HalfVector(vector), "k": k})
        return [(row["song_id"], float(row["similarity"])) for row in rows]

    def song_vectors(self, connection: Connection, song_ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The vectors of those of these songs that have a current one."""
        rows = connection.execute(self._query("song_vectors"), {"song_ids": list(song_ids)})
        return {row["song_id"]: _array(row["embedding"]) for row in rows}

    def quarantined(self, connection: Connection, song_ids: Sequence[str]) -> dict[str, str]:
        """Those of these songs that are set aside as they are now, each with the reason."""
        rows = connection.execute(self._query("quarantined"), {"song_ids": list(song_ids)})
        return {row["song_id"]: row["reason"] for row in rows}

    def profiles(self, connection: Connection) -> list[StoredProfile]:
        """Every playlist as this version knows it, by id."""
        return [_stored_profile(row) for row in connection.execute(self._query("profiles"))]

    # Inside ---------------------------------------------------------------------------------------------------------

    def _query(self, name: str) -> sql.Composed:
        names = {key: sql.Identifier(value) for key, value in self._names.items()}
        return _SQL[name].format(
            **names,
            version=sql.Literal(self.version),
            dimensions=sql.Literal(self.dimensions),
            template=sql.Literal(self._template),
        )

    def _check_whole(self, connection: Connection) -> None:
        row = connection.execute(self._query("check_whole")).fetchone() or {}
        if row["bad"]:
            raise DatabaseError(
                f"{row['bad']} of the {row['rows']} vectors of {self.version} are not unit vectors of this version.",
                f"The version stays invisible. Run `autosort retire {self.version}`, then register it anew.",
            )

    def _distances(self, connection: Connection, vector: HalfVector, *, by_index: bool) -> list[float]:
        connection.execute(f"SET LOCAL enable_seqscan = {'off' if by_index else 'on'}")
        connection.execute(f"SET LOCAL enable_indexscan = {'on' if by_index else 'off'}")
        connection.execute(f"SET LOCAL hnsw.ef_search = {_EF_SEARCH}")
        rows = connection.execute(self._query("nearest_distances"), {"vector": vector, "k": _PROBE_NEIGHBOURS})
        distances = [float(row["distance"]) for row in rows]
        connection.execute("SET LOCAL enable_seqscan = on")
        connection.execute("SET LOCAL enable_indexscan = on")
        return distances

    def _detach(self, connection: Connection, parent: str, child: str) -> None:
        """Detach a table, after finishing a detachment that was interrupted: Postgres allows one at a time."""
        parent, child = self._names[parent], self._names[child]
        for row in connection.execute(_SQL["pending_detachments"], {"parent": parent}).fetchall():
            _alter(connection, "finalize_detach", parent, row["child"])
        if connection.execute(_SQL["attachment"], {"parent": parent, "child": child}).fetchone():
            _alter(connection, "detach", parent, child)


def list_quarantine(connection: Connection, *, limit: int = 100) -> list[dict[str, Any]]:
    """Songs set aside, of all versions: version, song id, reason and since when; the oldest first."""
    return connection.execute(_SQL["list_quarantine"], {"limit": limit}).fetchall()


def _alter(connection: Connection, query: str, parent: str, child: str) -> None:
    connection.execute(_SQL[query].format(parent=sql.Identifier(parent), child=sql.Identifier(child)))


def _pending_playlist(row: dict[str, Any]) -> PendingPlaylist:
    revision, known_hash = row.pop("revision"), row.pop("known_hash")
    return PendingPlaylist(Playlist.model_construct(**row), revision, None if known_hash is None else bytes(known_hash))


def _stored_profile(row: dict[str, Any]) -> StoredProfile:
    fields = {name: row[name] for name in Playlist.model_fields}
    return StoredProfile(
        playlist=Playlist.model_construct(**fields),
        embedding=_array(row["embedding"]),
        centroid=None if row["centroid"] is None else _array(row["centroid"]),
        song_count=row["song_count"],
        acoustic=row["acoustic"],
    )


def _array(vector: HalfVector) -> npt.NDArray[np.float32]:
    return np.asarray(vector.to_numpy(), dtype=np.float32)
