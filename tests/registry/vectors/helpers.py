"""What tests of vectors share. No model is needed: the vectors are random and of length 1."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, LiteralString, cast

import numpy as np
import numpy.typing as npt
from psycopg import sql

from registry import catalogue
from registry.database import Connection, Database
from registry.records import CatalogueRecord, Song
from registry.texts import content_hash, render_playlist
from registry.vectors import index
from registry.vectors.records import Coverage, FreshProfile, PendingPlaylist, StoredProfile
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion
from tests.support.random_vectors import unit

Vector = npt.NDArray[np.float32]
AddVersion = Callable[..., ModelVersion]
COMPLETE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)


class Explaining:
    """A connection that keeps the plans of the queries on vectors that it passes on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[dict[str, Any]] = []
        self.transaction = connection.transaction
        self.pipeline = connection.pipeline

    @classmethod
    def around(cls, connection: Connection) -> "tuple[Connection, Explaining]":
        """As whatever takes a connection knows it, and as the test does."""
        explaining = cls(connection)
        return cast("Connection", explaining), explaining

    def execute(self, query: LiteralString | sql.Composed, parameters: Mapping[str, Any] | None = None) -> Any:
        if isinstance(query, sql.Composed) and "_vectors_" in query.as_string():
            row = self._connection.execute(sql.SQL("EXPLAIN (FORMAT JSON) ") + query, parameters).fetchone()
            assert row is not None
            self.plans.append(row["QUERY PLAN"][0]["Plan"])
        return self._connection.execute(query, parameters)


def mentioned(plan: dict[str, Any], key: str) -> set[str]:
    found = {plan[key]} if key in plan else set()
    return found.union(*(mentioned(child, key) for child in plan.get("Plans", [])))


def ids(count: int) -> list[str]:
    return [f"s-{number:04}" for number in range(count)]


def text_vector(playlist_id: str, dimensions: int) -> Vector:
    """A made-up text vector of a playlist: always the same for one id."""
    return np.asarray(unit(1, dimensions, seed=sum(playlist_id.encode()))[0])


def add_songs(database: Database, count: int) -> None:
    merge(database, *(Song(song_id=name, title=f"Song {number}") for number, name in enumerate(ids(count))))


def merge(database: Database, *records: CatalogueRecord) -> None:
    with database.transaction() as connection:
        catalogue.merge(connection, enumerate(records, start=1))


def create(database: Database, version: ModelVersion) -> VectorSet:
    made = VectorSet(version)
    with database.transaction() as connection:
        made.create(connection)
    return made


def build(database: Database, version: ModelVersion, *, attached: bool = False, seed: int = 0) -> VectorSet:
    """The vectors of a version, one for every song and playlist: row n of `unit(…, seed)` for the n-th song."""
    made = create(database, version)
    write_songs(database, made, seed=seed)
    write_profiles(database, made)
    if attached:
        attach(database, made)
    return made


def write_songs(database: Database, made: VectorSet, *, seed: int = 0) -> None:
    with database.transaction() as connection:
        pending = made.pending_songs(connection)
        made.write_songs(connection, pending, unit(len(pending), made.dimensions, seed=seed))


def write_profiles(database: Database, made: VectorSet) -> None:
    with database.transaction() as connection:
        pending = made.pending_playlists(connection)
        made.write_profiles(connection, [_fresh(each, made.dimensions) for each in pending])


def attach(database: Database, made: VectorSet) -> None:
    """Build the index and make the version visible."""
    with database.transaction() as connection:
        index.build(connection, made, index.plan_build(connection, made))
        made.attach(connection)


def coverage(database: Database, made: VectorSet) -> Coverage:
    with database.transaction() as connection:
        return made.coverage(connection)


def profiles(database: Database, made: VectorSet) -> list[StoredProfile]:
    with database.transaction() as connection:
        return made.profiles(connection)


def rows(connection: Connection, table: str) -> dict[str, int]:
    """Rows of a table by model version."""
    query = sql.SQL("SELECT model_version, count(*) AS rows FROM {} GROUP BY model_version")
    found: Iterable[dict[str, Any]] = connection.execute(query.format(sql.Identifier(table)))
    return {row["model_version"]: row["rows"] for row in found}


def tables(connection: Connection) -> list[str]:
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'i') AND relname ~ '_vectors_'"
    )
    return [row["relname"] for row in found]


def _fresh(pending: PendingPlaylist, dimensions: int) -> FreshProfile:
    playlist = pending.playlist
    text_hash = content_hash(render_playlist(playlist))
    return FreshProfile(
        playlist.playlist_id, pending.revision, text_hash, text_vector(playlist.playlist_id, dimensions)
    )
