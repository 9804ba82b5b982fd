"""What a CSV cell says: text, number, date. Each gives None for a missing value, ValueError for an unusable one."""

import re
from datetime import UTC, datetime

from registry.imports.rows import shown

# What spreadsheets, data frames and JavaScript write for "no value". Only for numbers and dates: as a title or an
# artist any of them may be meant.
_MISSING = frozenset({"", "nan", "null", "none", "undefined", "<na>"})

# A comma between thousands belongs to a name ("10,000 Maniacs"); Exportify escapes others as "\,", if it does.
_COMMA = re.compile(r"(?<!\\),(?!(?<=\d,)\d{3}\b)")
_GENRE_SEPARATOR = re.compile(r"[,;]")


def text(cell: str) -> str | None:
    return cell.strip() or None


def number(cell: str) -> str | None:
    """The number as it is written; the record's own types say whether it is one."""
    return None if cell.strip().casefold() in _MISSING else cell.strip()


def whole_number(cell: str) -> int | str | None:
    """Data frames write integers as 251668.0 once a value of the column is missing."""
    written = number(cell)
    try:
        value = float(written or "")
    except ValueError:
        return written
    return int(value) if value.is_integer() else written


def moment(cell: str) -> datetime | None:
    """An ISO 8601 date and time; without an offset it is UTC, as all of Spotify's are."""
    written = number(cell)
    if written is None:
        return None
    try:
        value = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(f"should be an ISO 8601 date and time, not '{shown(written)}'") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def artists(cell: str) -> str | None:
    """'A;B' or 'A,B' as 'A, B'. Where semicolons separate, commas are parts of names."""
    names = cell.split(";") if ";" in cell else _COMMA.split(cell)
    return ", ".join(name.replace("\\,", ",").strip() for name in names if name.strip()) or None


def first_genre(cell: str) -> str | None:
    return next((genre.strip() for genre in _GENRE_SEPARATOR.split(cell) if genre.strip()), None)
