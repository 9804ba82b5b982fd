"""A binary index with re-ranking beside the halfvec index: size, time to build, recall, latency.

    python -m benchmarks.binary_quantisation [--songs 100000] [--dimensions 1024]

Both HNSW indexes are built over the same made-up vectors (`benchmarks.made_up`). The binary one holds a bit for each
dimension; a search takes the nearest 200 by Hamming distance and ranks them by their vectors. Says when it would pay to
go over to it; the toolkit itself uses halfvec alone.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from benchmarks.made_up import Clusters, Matrix
from registry.embedded import start_embedded_postgres

QUERIES, NEIGHBOURS, CANDIDATES = 100, 20, 200

_INDEXES = {
    "halfvec": "CREATE INDEX by_halfvec ON songs USING hnsw (embedding halfvec_ip_ops)",
    "binary": "CREATE INDEX by_bits ON songs USING hnsw ((binary_quantize(embedding)::bit({d})) bit_hamming_ops)",
}
_SEARCHES = {
    "halfvec": "SELECT id FROM songs ORDER BY embedding <#> %(v)s::halfvec({d}) LIMIT {k}",
    "binary": (
        "SELECT id FROM (SELECT id, embedding FROM songs ORDER BY binary_quantize(embedding)::bit({d}) <~> "
        "binary_quantize(%(v)s::halfvec({d})) LIMIT {candidates}) AS near ORDER BY embedding <#> %(v)s::halfvec({d}) "
        "LIMIT {k}"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=1024)
    arguments = parser.parse_args()
    clusters = Clusters.scatter(arguments.dimensions)
    vectors = np.concatenate([clusters.draw(10_000, seed) for seed in range(-(-arguments.songs // 10_000))])
    queries = clusters.draw(QUERIES, seed=10**6)
    exact = [set(np.argsort(-(vectors @ query))[:NEIGHBOURS].tolist()) for query in queries]
    with (
        tempfile.TemporaryDirectory(prefix="autosort-binary-") as home,
        psycopg.connect(start_embedded_postgres(Path(home) / "postgres"), autocommit=True) as connection,
    ):
        _load(connection, vectors)
        for kind in _INDEXES:
            _measure(connection, kind, queries, exact, len(vectors), arguments.dimensions)


def _load(connection: psycopg.Connection, vectors: Matrix) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(connection)
    dimensions = sql.Literal(vectors.shape[1])
    connection.execute(sql.SQL("CREATE TABLE songs (id int PRIMARY KEY, embedding halfvec({}))").format(dimensions))
    connection.execute("ALTER TABLE songs ALTER COLUMN embedding SET STORAGE PLAIN")
    with connection.cursor().copy("COPY songs FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "halfvec"])
        for number, vector in enumerate(vectors):
            copy.write_row((number, HalfVector(vector)))
    connection.execute("VACUUM ANALYZE songs")
    connection.execute("SET maintenance_work_mem = '2GB'")


def _measure(
    connection: psycopg.Connection, kind: str, queries: Matrix, exact: list[set[int]], songs: int, dimensions: int
) -> None:
    numbers = {"d": dimensions, "k": NEIGHBOURS, "candidates": CANDIDATES}
    literals = {name: sql.Literal(value) for name, value in numbers.items()}
    begun = time.perf_counter()
    connection.execute(sql.SQL(_INDEXES[kind]).format(**literals))
    built = time.perf_counter() - begun
    name = _INDEXES[kind].split()[2]
    (size,) = connection.execute("SELECT pg_relation_size(%s::regclass)", [name]).fetchone() or (0,)
    connection.execute(sql.SQL("SET hnsw.ef_search = {}").format(sql.Literal(CANDIDATES)))
    search, seconds, found = sql.SQL(_SEARCHES[kind]).format(**literals), [], 0
    for query, wanted in zip(queries, exact, strict=True):
        begun = time.perf_counter()
        rows = connection.execute(search, {"v": HalfVector(query)}).fetchall()
        seconds.append(time.perf_counter() - begun)
        found += len({row[0] for row in rows} & wanted)
    print(
        f"{kind:8}: built in {built:.1f} s, {size / songs:.0f} bytes a song, recall@{NEIGHBOURS} "
        f"{found / QUERIES / NEIGHBOURS:.3f}, p50 {median(seconds) * 1e3:.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
