"""What reading a library file gives: records with their lines, rows and fields that could not be used, and why.

The one place where pydantic's validation errors become a field and a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from registry.records import CatalogueRecord

WHOLE_ROW = "row"
"""The field of a fault that lies in no single field: invalid JSON, a wrong number of columns."""

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a row. `field` is named as the file names it."""

    field: str
    reason: str


@dataclass(frozen=True)
class Row:
    """A record and the physical line (from 1) it came from: where its row starts, or 1 if the file's name tells it."""

    line: int
    record: CatalogueRecord


@dataclass(frozen=True)
class BadRow:
    """A row of which nothing is used. `line` is the physical line (from 1) on which the row starts."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True)
class DroppedField:
    """One optional value that is not used; the rest of its row is."""

    line: int
    field: str
    reason: str


Entry = Row | BadRow | DroppedField


class RowUnusable(Exception):
    """The row being read cannot be used. Every reader turns it into a `BadRow`; it never leaves this package."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault

    def at(self, line: int) -> BadRow:
        return BadRow(line, self.fault.field, self.fault.reason)


def shown(value: object, limit: int = _SHOWN_CHARACTERS) -> str:
    """The value as one short printable line: escapes control characters and surrogates, cuts after `limit`."""
    # Cut before escaping as well, so that a value of many megabytes costs nothing.
    text = value[: limit + 1] if isinstance(value, str) else str(value)
    printable = text if text.isprintable() else repr(text)[1:-1]
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """Each error of a record as a fault, its field named as the record does, as in `audio_features.energy`."""
    for detail in error.errors(include_url=False):
        path = ".".join(str(part) for part in detail["loc"])
        yield Fault(shown(path) or WHOLE_ROW, _reason(detail))


def _reason(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no known field"
        case "string_pattern_mismatch":  # the records' only pattern is the release date's
            return "should be YYYY, YYYY-MM or YYYY-MM-DD" + _found(detail["input"])
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case _:
            return _expectation(detail["msg"]) + _found(detail["input"])


def _expectation(message: str) -> str:
    sentence = message.removeprefix("Input ")
    return sentence[0].lower() + sentence[1:]


def _found(value: object) -> str:
    match value:
        case None:
            return ", not null"
        case str():
            return f", not '{shown(value)}'"
        case bool() | int() | float():
            return f", not {shown(value)}"
        case _:
            return ""
