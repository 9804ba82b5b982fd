"""How well and how fast one version is searched: recall against exact search, latency under clients, filters.

    python -m benchmarks.vector_search [--songs 100000] [--clients 4] [--rounds 5]

A catalogue of made-up songs and made-up vectors of 384 dimensions (`made_up.py` says how they compare with real ones)
is loaded, indexed, measured and attached by the code that reconcile uses, in an embedded Postgres of its own home. Then
200 queries that it does not hold are asked for their 20 nearest songs, once by comparing all, and by clients at once,
each a process with a pool of its own: 100 as near to the songs as these are to each other, as when songs like a song
are searched; 100 farther out, as texts of playlists are. The same with a filter that keeps 1 % of the songs, spread
evenly. Latency is all that a caller waits for: connection from the pool, transaction, search.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console

from benchmarks.made_up import Clusters, Matrix, add_playlists, add_songs, add_version, load_playlists, load_songs
from lifecycle.cli.tables import table
from registry import versions
from registry.database import Database, open_database
from registry.settings import RegistrySettings
from registry.vectors import index
from registry.vectors.search import ALL_SONGS, SongFilter, nearest_songs
from registry.vectors.vector_set import VectorSet

DIMENSIONS = 384
NEIGHBOURS = 20
GENRES = {"rare": 0.01, "usual": 0.99}
TEXT_SPREAD = 1.5
RARE = SongFilter(genre="rare")

Result = TypeVar("Result")
_meeting: list[Barrier] = []


@dataclass(frozen=True)
class Asked:
    """What came of queries: ids found by each, and seconds that they took, in the order in which they were asked."""

    found: list[set[str]]
    seconds: list[float]


@dataclass(frozen=True)
class Queries:
    """Vectors whose neighbours are wanted, shape (n, d), and whether they are songs' own."""

    vectors: Matrix
    like_a_song: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5, help="times that each client asks all queries")
    arguments = parser.parse_args()
    clusters = Clusters.scatter(DIMENSIONS)
    kinds = {
        "like songs": Queries(clusters.draw(100, seed=1), like_a_song=True),
        "like texts": Queries(clusters.draw(100, seed=2, spread=TEXT_SPREAD), like_a_song=False),
    }
    with tempfile.TemporaryDirectory() as folder:
        settings = RegistrySettings.model_validate({"AUTOSORT_HOME": Path(folder) / "home"})
        with open_database(settings) as database:
            quality = load(database, arguments.songs, clusters)
            rows = [
                (name, kind, *measure(settings, database, where, queries, arguments.clients, arguments.rounds))
                for name, where in (("all songs", ALL_SONGS), ("1 % of the songs", RARE))
                for kind, queries in kinds.items()
            ]
    columns = ["searched", "queries", "recall@20", "fewest found", "p50 ms", "p99 ms", "exact p50 ms"]
    title = f"{arguments.songs} made-up songs, {arguments.clients} clients on {os.cpu_count()} cores"
    console = Console(width=140)
    console.print(table(title, columns, rows))
    console.print("Promised: recall@20 >= 0.99, p50 <= 3 ms, p99 <= 10 ms of all songs; 20 found of 1 %.")
    console.print(f"By the index's own measurement: {quality}.")


def load(database: Database, songs: int, clusters: Clusters) -> index.IndexQuality:
    """Load, index, measure and attach a version, as reconcile does."""
    with database.transaction() as connection:
        add_songs(connection, songs, GENRES)
        add_playlists(connection, 100)
        vectors = VectorSet(add_version(connection, DIMENSIONS, "made up"))
        vectors.create(connection)
    timed("songs' vectors written", lambda: list(load_songs(database, vectors, clusters)))
    load_playlists(database, vectors, clusters.draw(100, seed=3, spread=TEXT_SPREAD))
    with database.transaction() as connection:
        plan = index.plan_build(connection, vectors)
        timed(f"index built with {plan}", lambda: index.build(connection, vectors, plan))
    with database.autocommit() as connection:
        index.settle(connection, vectors)
        connection.execute("VACUUM (ANALYZE) songs")
    with database.transaction() as connection:
        quality = timed("index measured", lambda: index.measure(connection, vectors))
        index.record_quality(connection, vectors, quality)
        vectors.attach(connection)
    return quality


def measure(
    settings: RegistrySettings, database: Database, where: SongFilter, queries: Queries, clients: int, rounds: int
) -> list[object]:
    """Recall, fewest found, p50 and p99 of all clients at once; p50 of exact search by one alone."""
    true = ask(database, queries, where, range(len(queries.vectors)), exact=True)
    context = multiprocessing.get_context("spawn")
    with context.Pool(clients, initializer=_meet, initargs=(context.Barrier(clients),)) as pool:
        work = [(settings, queries, where, rounds, number) for number in range(clients)]
        answers = [answer for rounds_of_one in pool.starmap(_client, work, chunksize=1) for answer in rounds_of_one]
    hits = [
        len(ids & known) / len(known) for answer in answers for ids, known in zip(answer.found, true.found, strict=True)
    ]
    p50, p99 = np.quantile([answer.seconds for answer in answers], [0.5, 0.99]) * 1000
    fewest = min(len(ids) for answer in answers for ids in answer.found)
    exact = np.median(true.seconds) * 1000
    return [f"{np.mean(hits):.4f}", fewest, f"{p50:.2f}", f"{p99:.2f}", f"{exact:.1f}"]


def ask(database: Database, queries: Queries, where: SongFilter, order: Iterable[int], *, exact: bool = False) -> Asked:
    """Ask each query once, in a transaction of its own."""
    with database.transaction() as connection:
        vectors = VectorSet(versions.get(connection, "v1"))
    asked = Asked([set() for _ in queries.vectors], [])
    for number in order:
        begun = time.perf_counter()
        with database.transaction() as connection:
            vector, like = queries.vectors[number], queries.like_a_song
            found = nearest_songs(connection, vectors, vector, k=NEIGHBOURS, where=where, like_a_song=like, exact=exact)
        asked.seconds.append(time.perf_counter() - begun)
        asked.found[number].update(song_id for song_id, _ in found)
    return asked


def _meet(barrier: Barrier) -> None:
    """Let a client know where all wait for each other."""
    _meeting.append(barrier)


def _client(settings: RegistrySettings, queries: Queries, where: SongFilter, rounds: int, number: int) -> list[Asked]:
    """Ask all queries again and again, each time in another order; a round before that warms up."""
    random = np.random.default_rng(number)
    with open_database(settings) as database:
        ask(database, queries, where, random.permutation(len(queries.vectors)))
        _meeting[0].wait()
        return [ask(database, queries, where, random.permutation(len(queries.vectors))) for _ in range(rounds)]


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Do work and say how long it took."""
    begun = time.perf_counter()
    result = work()
    print(f"{what}: {time.perf_counter() - begun:.1f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
