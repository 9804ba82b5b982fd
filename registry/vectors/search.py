"""The nearest songs and playlists of one version to a vector of that version.

Songs are found by the version's index; whatever that cannot find, by comparing all. A song that changed is found by the
vector it had until it has a new one; one that was deleted, or set aside as it is now, is not found.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pgvector import HalfVector
from psycopg import sql

from registry.database import Connection
from registry.errors import BadInput
from registry.queries import load_queries
from registry.vectors.records import Vector
from registry.vectors.vector_set import VectorSet

Neighbours = list[tuple[str, float]]

_SQL = load_queries("search")
_MOST_NEIGHBOURS = 1_000  # pgvector's limit on hnsw.ef_search
_EF_SEARCH = 100


@dataclass(frozen=True)
class SongFilter:
    """Which songs count, in any case of letters; `None` keeps all."""

    genre: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class PlaylistFilter:
    """Which playlists count, in any case of letters; `None` keeps all."""

    genre: str | None = None
    owner: str | None = None


ALL_SONGS = SongFilter()
ALL_PLAYLISTS = PlaylistFilter()


def nearest_songs(
    connection: Connection,
    vectors: VectorSet,
    vector: Vector,
    *,
    k: int,
    where: SongFilter = ALL_SONGS,
    like_a_song: bool = False,
    exact: bool = False,
) -> Neighbours:
    """The k songs nearest to a vector of this version: (song id, cosine), nearest first.

    Fewer only if there are fewer, and none as long as the version is not whole.

    Args:
        vector: of length 1, shape (dimensions,).
        k: at most 1000, as many as an index finds at once.
        like_a_song: whether the vector is a song's; a text's lies farther from all songs, and is looked for wider.
        exact: compare all, as is done anyway where a filter keeps few or the index finds fewer than k.

    Raises:
        BadInput: k is larger.
    """
    if k > _MOST_NEIGHBOURS:
        raise BadInput(f"{k} nearest songs were asked for.", f"Ask for at most {_MOST_NEIGHBOURS}.")
    asked = {"vector": HalfVector(vector), "k": k, **asdict(where)}
    # Rolled back, so that the settings of this search end with it; and sent with as little waiting for answers as can
    # be, which would take as long as the search itself.
    with connection.pipeline(), connection.transaction(force_rollback=True):
        if not _prepare(connection, vectors, k, text=not like_a_song, any_order=where != ALL_SONGS):
            return []
        found = [] if exact else _search(connection, vectors, asked, filtered=where != ALL_SONGS)
    return found if len(found) == k else _neighbours(connection, vectors, "nearest_songs_exactly", asked)


def nearest_playlists(
    connection: Connection, vectors: VectorSet, vector: Vector, *, k: int, where: PlaylistFilter = ALL_PLAYLISTS
) -> Neighbours:
    """The k playlists whose texts are nearest to a vector of this version: (playlist id, cosine), nearest first.

    All are compared. None are found as long as the version is not whole.

    Args:
        vector: of length 1, shape (dimensions,).
    """
    state = vectors.state(connection)
    if state is None or not state.attached:
        return []
    return _neighbours(
        connection, vectors, "nearest_playlists", {"vector": HalfVector(vector), "k": k, **asdict(where)}
    )


def uses_index(connection: Connection, vectors: VectorSet) -> bool:
    """Whether searches of a version go through its index, by Postgres' own plan; not if the version is not whole."""
    probe = HalfVector([1.0, *[0.0] * (vectors.dimensions - 1)])
    explain = sql.SQL("EXPLAIN (FORMAT JSON) ") + vectors.query("nearest_songs", _SQL)
    with connection.transaction(force_rollback=True):
        if not _prepare(connection, vectors, 1, text=False, any_order=False):
            return False
        row = connection.execute(explain, {"vector": probe, "k": 1}).fetchone() or {}
    return vectors.names["index"] in _indexes_in(row["QUERY PLAN"][0]["Plan"])


def _indexes_in(plan: Mapping[str, Any]) -> set[str]:
    """The indexes that a plan reads."""
    below: set[str] = set().union(*(_indexes_in(part) for part in plan.get("Plans", ())))
    return below | {plan["Index Name"]} if "Index Name" in plan else below


def _prepare(connection: Connection, vectors: VectorSet, k: int, *, text: bool, any_order: bool) -> bool:
    """Set how the index is searched; whether the version is whole."""
    # Without a filter no other plan than the index's order is ever faster, whatever the statistics say.
    manner = {"usual": _EF_SEARCH, "k": k, "text": text, "sort": "on" if any_order else "off"}
    return connection.execute(vectors.query("prepare", _SQL), manner).fetchone() is not None


def _search(connection: Connection, vectors: VectorSet, asked: Mapping[str, Any], *, filtered: bool) -> Neighbours:
    if not filtered:
        return _neighbours(connection, vectors, "nearest_songs", asked)
    few = _keeps_few(connection, asked)
    return _neighbours(connection, vectors, "nearest_songs_exactly" if few else "nearest_songs_of", asked)


def _keeps_few(connection: Connection, asked: Mapping[str, Any]) -> bool:
    row = connection.execute(_SQL["keeps_few"], asked).fetchone() or {}
    return bool(row["few"])


def _neighbours(connection: Connection, vectors: VectorSet, query: str, asked: Mapping[str, Any]) -> Neighbours:
    rows = connection.execute(vectors.query(query, _SQL), asked)
    found = [(row["id"], float(row["cosine"])) for row in rows]
    # Where the index had to go on, what it finds later may be nearer.
    return sorted(found, key=lambda neighbour: -neighbour[1])
