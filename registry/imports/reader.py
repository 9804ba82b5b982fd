"""Library files of any known format, read as a stream of catalogue records. The formats: docs/import-formats.md."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from registry.errors import BadInput, UnknownFormat
from registry.imports.csv_rows import CsvRow, csv_rows
from registry.imports.exportify import read_exportify, recognises_exportify
from registry.imports.jsonl import read_jsonl
from registry.imports.rows import BadRow, DroppedField, Entry, Row, shown
from registry.imports.spotify import read_spotify, recognises_spotify
from registry.imports.text_lines import named, require_text_file, text_lines

__all__ = ["BadRow", "DroppedField", "Entry", "ImportFormat", "Row", "detect_format", "read_library"]

_HEADER_CHARACTERS = 120
_REMEDY = (
    "Known are the project's JSONL (a JSON object on each line), the Spotify playlist CSV (with track_id, track_name, "
    "playlist_id, playlist_name) and Exportify's CSV (with Track URI, Track Name, Artist Name(s), in English): "
    "see docs/import-formats.md."
)


class ImportFormat(StrEnum):
    JSONL = "jsonl"
    SPOTIFY_CSV = "spotify_csv"
    EXPORTIFY_CSV = "exportify_csv"


def detect_format(path: Path) -> ImportFormat:
    """The format of a file, by its first row that is not blank; its name does not matter.

    Raises:
        UnknownFormat: the row begins none of the known formats.
        BadInput: no such file, not a file, unreadable, empty, or not UTF-8.
    """
    return _detected(path)[0]


def read_library(path: Path) -> Iterator[Entry]:
    """What the file holds, in its order, each with its line: records, unusable rows, dropped fields.

    Reads a line at a time. In a CSV, a playlist and a song come before the memberships that name them.

    Raises:
        UnknownFormat, BadInput: at once, as `detect_format` does.
        BadInput: while iterating, at a line that is not UTF-8; or an Exportify file's name is no playlist's.
    """
    detected, header, rows = _detected(path)
    match detected:
        case ImportFormat.JSONL:
            return read_jsonl(text_lines(path))
        case ImportFormat.SPOTIFY_CSV:
            return read_spotify(header, rows)
        case ImportFormat.EXPORTIFY_CSV:
            return read_exportify(path, header, rows)


def _detected(path: Path) -> tuple[ImportFormat, Sequence[str], Iterator[CsvRow | BadRow]]:
    """The format and, for a CSV, its header and the rows after it."""
    require_text_file(path)
    beginning = _first_line(path)
    if beginning.startswith("{"):
        return ImportFormat.JSONL, (), iter(())
    rows = csv_rows(text_lines(path))
    first = next(rows, None)
    header = first.cells if isinstance(first, CsvRow) else ()
    if recognises_spotify(header):
        return ImportFormat.SPOTIFY_CSV, header, rows
    if recognises_exportify(header):
        return ImportFormat.EXPORTIFY_CSV, header, rows
    raise UnknownFormat(
        f"{named(path)} begins with '{shown(beginning, _HEADER_CHARACTERS)}', which is no known format.", _REMEDY
    )


def _first_line(path: Path) -> str:
    for line in text_lines(path):
        if line.text.strip():
            return line.text.strip()
    raise BadInput(f"{named(path)} is empty but for blank lines.", "Export it again, or leave it out.")
