"""What vectors take on the disk of their database."""

from pathlib import Path

import psycopg

from registry.database import Connection
from registry.queries import load_queries

_SQL = load_queries("space")

_ROW_BYTES = 100
"""Of a song's row beside its vector: header, version, id, hash."""

_KEY_BYTES = 100
"""Of the primary key's entry: version, id, hash."""

_INDEX_BYTES = 400
"""Of an element of the HNSW index beside its vector: itself, and 32 neighbours of 6 bytes."""


def estimate_bytes(songs: int, dimensions: int) -> int:
    """Bytes of the table, the key and the index of so many songs' halfvecs.

    `benchmarks.vector_growth` prints what they really take.
    """
    vector = 2 * dimensions + 8
    return songs * (vector + _ROW_BYTES + _KEY_BYTES + vector + _INDEX_BYTES)


def read_data_folder(connection: Connection) -> str | None:
    """The folder of a database that runs on this machine; `None` where it runs elsewhere or does not tell."""
    try:
        with connection.transaction():
            row = connection.execute(_SQL["data_folder"]).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    folder = row["folder"] if row and row["here"] else None
    return folder if folder and Path(folder).is_dir() else None
