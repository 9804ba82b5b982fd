"""The nearest-neighbour index (HNSW) of a version's songs: built with what the server has, measured, and watched."""

from dataclasses import asdict, dataclass

import psycopg
from pgvector import HalfVector
from psycopg import sql

from registry.database import Connection
from registry.queries import load_queries
from registry.vectors.vector_set import VectorSet

_SQL = load_queries("index")

_GRAPH_BYTES = 800
"""What an element of the graph takes beside its vector: itself, and 32 neighbours of 16 bytes on the lowest level."""

_MOST_WORKERS = 8
_PROBES = 50
_NEIGHBOURS = 20
_WANTED_RECALL = 0.995
_EF_SEARCH = (60, 80, 120, 160, 200, 300, 400, 600, 800)
"""Not from fewer on, which cost hardly less: fifty probes are too few to tell a recall of 0.98 from one of 0.995."""


@dataclass(frozen=True)
class BuildPlan:
    """What an index of so many rows is built with: memory for the graph in KiB, processes beside the leading one."""

    rows: int
    memory: int
    workers: int


@dataclass(frozen=True)
class IndexQuality:
    """Recall@20 of an index against exact search, and how far its searches look (`hnsw.ef_search`) to reach it.

    Attributes:
        recall: the lower one of songs like a song and songs that fit a text.
        ef_search: for songs like a song.
        text_ef_search: for songs that fit a text, which lies farther from all of them.
    """

    recall: float
    ef_search: int
    text_ef_search: int


@dataclass(frozen=True)
class BuildProgress:
    """How far an index that is being built is: rows in it, of how many."""

    done: int
    total: int


def is_valid(connection: Connection, vectors: VectorSet) -> bool:
    """Whether the version's index is there and usable."""
    row = connection.execute(_SQL["index_valid"], {"index": vectors.names["index"]}).fetchone()
    return bool(row and row["valid"])


def plan_build(connection: Connection, vectors: VectorSet) -> BuildPlan:
    """Memory enough for the whole graph, if the server has it to spare, and as many processes as it lends.

    Beyond that memory pgvector goes on inserting row by row, some ten times slower. What the server has to spare is
    taken to be half of its `effective_cache_size`, which operators set to what is left for caches.
    """
    row = connection.execute(_SQL["server_room"]).fetchone() or {}
    rows = connection.execute(vectors.query("count_songs", _SQL)).fetchone() or {}
    needed = rows["songs"] * (2 * vectors.dimensions + _GRAPH_BYTES) // 1024 * 5 // 4
    spare = max(row["maintenance"], row["cache"] // 2)
    workers = max(row["maintenance_workers"], row["parallel_workers"] // 2)
    memory = min(max(needed, row["maintenance"]), spare)
    return BuildPlan(rows["songs"], memory, min(workers, _MOST_WORKERS))


def build(connection: Connection, vectors: VectorSet, plan: BuildPlan) -> None:
    """Build the version's index, unless it is there, in the connection's transaction; takes long.

    Where the server's shared memory is too small for several processes, as in most containers, one does it.
    """
    connection.execute(sql.SQL("SET LOCAL maintenance_work_mem = {}").format(sql.Literal(f"{plan.memory}kB")))
    # Killed clients must not leave a server building for nobody.
    connection.execute("SET LOCAL client_connection_check_interval = '2s'")
    try:
        _create(connection, vectors, plan.workers)
    except psycopg.errors.DiskFull:
        if not plan.workers:
            raise
        _create(connection, vectors, 0)


def settle(connection: Connection, vectors: VectorSet) -> None:
    """Bring the statistics and the visibility map of the version's tables up to date; outside any transaction."""
    connection.execute(vectors.query("settle", _SQL))


def read_progress(connection: Connection, vectors: VectorSet) -> BuildProgress | None:
    """How far the building of a version's index is, seen from another connection; None if none is being built."""
    row = connection.execute(_SQL["build_progress"], {"table": vectors.names["version_songs"]}).fetchone()
    return BuildProgress(row["done"], row["total"]) if row else None


def measure(connection: Connection, vectors: VectorSet) -> IndexQuality:
    """Recall@20 against exact search, of the nearest look that finds almost all, or of the farthest that was tried.

    Asked are 50 songs' own vectors and 50 playlists' texts. Neighbours are compared by distance, so that songs with
    equal vectors count as found either way.
    """
    rows = connection.execute(vectors.query("probe_vectors", _SQL), {"limit": _PROBES}).fetchall()
    songs, texts = ([row["embedding"] for row in rows if row["text"] is text] for text in (False, True))
    (recall, ef_search), (text_recall, text_ef_search) = (_look(connection, vectors, each) for each in (songs, texts))
    return IndexQuality(min(recall, text_recall), ef_search, text_ef_search)


def record_quality(connection: Connection, vectors: VectorSet, quality: IndexQuality) -> None:
    """Write down what a version's index is worth and how it is searched."""
    connection.execute(_SQL["record_quality"], {"version": vectors.version, **asdict(quality)})


def _create(connection: Connection, vectors: VectorSet, workers: int) -> None:
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL max_parallel_maintenance_workers = {}").format(sql.Literal(workers)))
        connection.execute(vectors.query("create_index", _SQL))


def _look(connection: Connection, vectors: VectorSet, probes: list[HalfVector]) -> tuple[float, int]:
    """The recall, and the `ef_search`, of the nearest look that finds almost all, or of the farthest that was tried."""
    exact = [_distances(connection, vectors, each, None) for each in probes]
    recall, ef_search = 1.0, _EF_SEARCH[0]
    for ef_search in _EF_SEARCH:
        recall = _recall(connection, vectors, probes, exact, ef_search)
        if recall >= _WANTED_RECALL:
            break
    return recall, ef_search


def _recall(
    connection: Connection,
    vectors: VectorSet,
    probes: list[HalfVector],
    exact: list[list[float]],
    ef_search: int,
) -> float:
    found = wanted = 0
    for probe, true in zip(probes, exact, strict=True):
        approximate = _distances(connection, vectors, probe, ef_search)
        wanted += len(true)
        found += sum(distance <= true[-1] + 1e-6 for distance in approximate)
    return found / wanted if wanted else 1.0


def _distances(connection: Connection, vectors: VectorSet, probe: HalfVector, ef_search: int | None) -> list[float]:
    """Negative inner products of the nearest songs: by the index, or without it."""
    # Rolled back, so that the planner's settings end with it.
    with connection.transaction(force_rollback=True):
        avoided = "enable_indexscan" if ef_search is None else "enable_seqscan"
        connection.execute(sql.SQL("SET LOCAL {} = off").format(sql.SQL(avoided)))
        connection.execute(sql.SQL("SET LOCAL hnsw.ef_search = {}").format(sql.Literal(ef_search or _EF_SEARCH[0])))
        rows = connection.execute(vectors.query("nearest_distances", _SQL), {"vector": probe, "k": _NEIGHBOURS})
        return [float(row["distance"]) for row in rows]
