"""What a song costs at 1 thousand, 10 thousand, 100 thousand and 1 million songs: loading, indexing, memory, disk.

    python -m benchmarks.vector_growth [--songs 1000 10000 100000 1000000] [--dimensions 384] [--plot FILE.svg]

For each size, in a process and an embedded Postgres of its own: a catalogue of that many songs, and one whole
reconciliation by the code that `autosort reembed` runs, from rendering the texts to the attached version. Only the
model is replaced by made-up vectors (`benchmarks.made_up`), which could not be computed here in so large numbers.
Everything but the index is told by the song; the index, which costs n log n, apart. Then the rows are loaded once more
by themselves, five times, for the median rate of the binary COPY.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from psycopg import sql

import serving.inference.lanes  # noqa: F401 - loads torch, which takes seconds and belongs to no song
from benchmarks.made_up import Clusters, add_version
from lifecycle.progress import Advance, Silent
from lifecycle.reconcile.encoders import Encoders
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace, open_workspace
from registry.database import Connection, Database
from registry.settings import RegistrySettings
from registry.vectors.records import Matrix, PendingSong
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_COPIED = 100_000
_PAGE = 4_096
_LOADS = 5
_DRAWN, _OTHERS = 10_000, 997  # without a common divisor, so that ten million pairs differ


class MadeUpEncoder:
    """Stands for a model: tokens of no meaning, vectors from the clusters."""

    device = "cpu"
    precision = "fp32"
    batch_tokens = 2_048

    def __init__(self, version: ModelVersion) -> None:
        self.spec = version.spec.embedder
        clusters = Clusters.scatter(self.spec.dimensions)
        self._vectors = clusters.draw(_DRAWN, seed=1)
        self._noise = clusters.draw(_OTHERS, seed=2)
        self._drawn = 0

    def tokenize(self, texts: Sequence[str], prompt: str = "") -> list[list[int]]:
        del prompt
        return [[0] * (20 + len(text) % 50) for text in texts]

    def forward(self, tokens: Sequence[Sequence[int]]) -> Matrix:
        """Vectors that repeat nowhere: each of ten thousand, with a bit of one of 997 others."""
        numbers = self._drawn + np.arange(len(tokens))
        self._drawn += len(tokens)
        mixed = self._vectors[numbers % len(self._vectors)] + 0.3 * self._noise[numbers * 7 % len(self._noise)]
        return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


class MadeUpEncoders(Encoders):
    """Gives the made-up encoder instead of loading a model."""

    def __init__(self, workspace: Workspace, version: ModelVersion) -> None:
        super().__init__(workspace, Silent())
        self._made_up = MadeUpEncoder(version)

    def of(self, version: ModelVersion, *, waiting: int = 0) -> Any:  # noqa: ANN401
        del version, waiting
        return self._made_up


class Stopwatch(Silent):
    """How long each task took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def task(self, name: str, total: int, *, unit: str | None = None) -> Iterator[Advance]:
        begun = time.perf_counter()
        with super().task(name, total, unit=unit) as advance:
            yield advance
        self.seconds[name.split(maxsplit=1)[0]] = time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--plot", type=Path, help="draw the growth into an SVG")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_measure(arguments.songs[0], arguments.dimensions)))
        return
    rows = [_in_a_process(songs, arguments.dimensions) for songs in arguments.songs]
    _show(rows)
    if arguments.plot:
        _plot(rows, arguments.plot)


def _in_a_process(songs: int, dimensions: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.vector_growth", "--one", "--songs", str(songs)]
    done = subprocess.run([*command, "--dimensions", str(dimensions)], stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    print(row, file=sys.stderr, flush=True)
    return row


def _measure(songs: int, dimensions: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="autosort-growth-") as home:
        settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": None})
        with open_workspace(settings) as workspace:
            with workspace.database.transaction() as connection:
                _add_songs(connection, songs)
                version = add_version(connection, dimensions, "growth")
            return _reconciled(workspace, version, songs)


def _reconciled(workspace: Workspace, version: ModelVersion, songs: int) -> dict[str, Any]:
    encoders, watch = MadeUpEncoders(workspace, version), Stopwatch()
    begun = time.perf_counter()
    done = reconcile(workspace, version.version, watch, encoders=encoders)
    total = time.perf_counter() - begun
    if not (done.coverage and done.coverage.complete and done.embedded == songs):
        sys.exit(f"not whole: {done}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "songs": songs,
        "total": total,
        "embedding": watch.seconds["Embedding"],
        "index": watch.seconds["Indexing"],
        "rest": total - watch.seconds["Embedding"] - watch.seconds["Indexing"],
        "peak_mib": peak,
        **workspace.database.persist(lambda connection: _facts(connection, version)),
        "copied_per_second": _copy_rate(workspace.database, version, min(songs, _COPIED)),
    }


def _facts(connection: Connection, version: ModelVersion) -> dict[str, Any]:
    """Disk by part, in bytes; and what the index is worth."""
    vectors = VectorSet(version)
    state = vectors.state(connection)
    row = (
        connection.execute(
            "SELECT pg_table_size(%(table)s::regclass) AS table_bytes, pg_relation_size(%(index)s::regclass) AS"
            " index_bytes, pg_indexes_size(%(table)s::regclass) AS all_indexes",
            {"table": vectors.names["version_songs"], "index": vectors.names["index"]},
        ).fetchone()
        or {}
    )
    key = row["all_indexes"] - row["index_bytes"]
    recall = {"recall": state.index_recall, "ef_search": state.ef_search} if state else {}
    return {"table_bytes": row["table_bytes"], "key_bytes": key, "index_bytes": row["index_bytes"], **recall}


def _copy_rate(database: Database, version: ModelVersion, rows: int) -> float:
    """Rows a second of the binary COPY into a table like the version's, with its key, in pages as they are written."""
    vectors = VectorSet(version)
    with database.transaction() as connection:
        pending = [
            PendingSong(each.song, each.content_hash, replaces=False) for each in _all_songs(connection, vectors, rows)
        ]
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(vectors.names["index"])))
    drawn = Clusters.scatter(vectors.dimensions).draw(rows, seed=3)
    return median(_loaded(database, vectors, pending, drawn) for _ in range(_LOADS))


def _loaded(database: Database, vectors: VectorSet, pending: list[PendingSong], drawn: Matrix) -> float:
    with database.transaction() as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(vectors.names["version_songs"])))
    begun = time.perf_counter()
    for first in range(0, len(pending), _PAGE):
        page = slice(first, first + _PAGE)
        with database.transaction() as connection:
            vectors.write_songs(connection, pending[page], drawn[page])
    return len(pending) / (time.perf_counter() - begun)


def _all_songs(connection: Connection, vectors: VectorSet, rows: int) -> list[PendingSong]:
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(vectors.names["version_songs"])))
    return vectors.pending_songs(connection, limit=rows)


def _add_songs(connection: Connection, count: int) -> None:
    with connection.cursor().copy("COPY songs (song_id, title, artist, genre, energy) FROM STDIN") as copy:
        for number in range(count):
            copy.write_row((f"song-{number:08}", f"Song {number}", f"Artist {number % 997}", "pop", number % 100 / 100))


def _show(rows: list[dict[str, Any]]) -> None:
    base = next((row for row in rows if row["songs"] >= 10_000), rows[0])
    print(
        "    songs | us a song | of 10k's | index s | us / log2 n | COPY rows/s | peak MiB | B a song: table key index"
    )
    for row in rows:
        songs = row["songs"]
        by_song = (row["total"] - row["index"]) / songs * 1e6
        of_base = by_song / ((base["total"] - base["index"]) / base["songs"] * 1e6)
        by_log = row["index"] / songs / math.log2(songs) * 1e6
        disk = " ".join(f"{row[part] / songs:.0f}" for part in ("table_bytes", "key_bytes", "index_bytes"))
        print(
            f"{songs:9,} | {by_song:9.1f} | {of_base:8.2f} | {row['index']:7.1f} | {by_log:11.2f} | "
            f"{row['copied_per_second']:11,.0f} | {row['peak_mib']:8.0f} | {disk}; recall {row['recall']:.3f} at "
            f"ef_search {row['ef_search']}"
        )


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Cost by the song against the number of songs, both on logarithmic scales; the index apart."""
    width, height, margin = 560, 320, 60
    series = {
        "#4269d0": ("all but the index", [(row["total"] - row["index"]) / row["songs"] * 1e6 for row in rows]),
        "#ff725c": ("the index", [row["index"] / row["songs"] * 1e6 for row in rows]),
    }
    lowest = math.log10(min(min(values) for _, values in series.values()) / 1.5)
    highest = math.log10(max(max(values) for _, values in series.values()) * 1.5)
    first, last = math.log10(rows[0]["songs"]), math.log10(rows[-1]["songs"])

    def place(songs: int, value: float) -> tuple[float, float]:
        across = (math.log10(songs) - first) / (last - first)
        up = (math.log10(value) - lowest) / (highest - lowest)
        return margin + across * (width - 2 * margin), height - margin - up * (height - 2 * margin)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for number, (colour, (name, values)) in enumerate(series.items()):
        points = [place(row["songs"], value) for row, value in zip(rows, values, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), value in zip(points, values, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" font-size="11" text-anchor="middle">{value:.0f}</text>')
        parts.append(
            f'<text x="{margin}" y="{20 + 16 * number}" font-size="12" fill="{colour}">{name}, µs a song</text>'
        )
    for row in rows:
        x, _ = place(row["songs"], 10**lowest)
        label = f"{row['songs']:,}"
        parts.append(f'<text x="{x:.1f}" y="{height - 30}" font-size="11" text-anchor="middle">{label} songs</text>')
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
