"""Arrow tables as immutable folders: equal tables give equal bytes, in the folder and in the digest."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

Rows = Iterable[tuple[str | float, ...]]

MANIFEST = "manifest.json"
_AT_ONCE = 10_000


def make_table(columns: Mapping[str, pa.DataType], rows: Rows) -> pa.Table:
    """A table, made batch by batch so that the rows are never all in memory as Python values."""
    schema = pa.schema([pa.field(name, kind) for name, kind in columns.items()])
    batches = (
        pa.record_batch(
            [pa.array(values, kind) for values, kind in zip(zip(*page, strict=True), schema.types, strict=True)],
            schema=schema,
        )
        for page in _pages(rows)
    )
    return pa.Table.from_batches(batches, schema)


def digest_tables(header: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 (hex) of what tables hold, however they lie in memory."""
    digest = sha256(json.dumps(header, sort_keys=True).encode())
    for name, table in tables.items():
        digest.update(json.dumps([name, table.column_names, table.num_rows]).encode())
        for start in range(0, table.num_rows, _AT_ONCE):
            page = [column.to_pylist() for column in table.slice(start, _AT_ONCE).columns]
            digest.update(json.dumps(page, ensure_ascii=False).encode())
    return digest.hexdigest()


def write_folder(target: Path, name: str, tables: Mapping[str, pa.Table], manifest: Mapping[str, Any]) -> None:
    """Write tables as `datasets` folders into a new folder, whole or not at all.

    Args:
        name: goes into the `datasets` folders as their fingerprint, which would otherwise be drawn anew each time.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".draft-") as folder:
        draft = Path(folder) / "dataset"
        for table_name, table in tables.items():
            datasets.Dataset(table, fingerprint=name[:16]).save_to_disk(draft / table_name, num_shards=1)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2))
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)


def read_rows(folder: Path, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a table of a folder, columns in the order asked for."""
    stored = datasets.load_from_disk(str(folder / table), keep_in_memory=False).data.table.select(list(columns))
    for start in range(0, stored.num_rows, _AT_ONCE):
        yield from zip(*(column.to_pylist() for column in stored.slice(start, _AT_ONCE).columns), strict=True)


def _pages(rows: Rows) -> Iterator[list[tuple[str | float, ...]]]:
    remaining = iter(rows)
    while page := list(islice(remaining, _AT_ONCE)):
        yield page
