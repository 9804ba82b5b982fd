"""From the rows of a CSV table to catalogue records: which column holds which field, and what becomes of faults."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from registry.imports import cells
from registry.imports.csv_rows import CsvRow
from registry.imports.fresh import Fresh
from registry.imports.rows import WHOLE_ROW, BadRow, DroppedField, Entry, Fault, Row, RowUnusable, faults_of
from registry.records import AudioFeatures, CatalogueRecord, Record

Record_co = TypeVar("Record_co", bound=Record, covariant=True)

FEATURES = tuple(AudioFeatures.model_fields)


@dataclass(frozen=True)
class Column:
    """Where a record's field is found: in the first of `names` that the header has. `field` is dotted if nested."""

    field: str
    names: tuple[str, ...]
    read: Callable[[str], object] = cells.text


@dataclass(frozen=True)
class Bound:
    """A column that the header has: its place, and its name as the file spells it."""

    field: str
    name: str
    index: int
    read: Callable[[str], object]


@dataclass(frozen=True)
class Built(Generic[Record_co]):
    """A record, and the faults of the optional fields that were left out of it."""

    record: Record_co
    dropped: tuple[Fault, ...] = ()


BuildRow = Callable[[CsvRow], Sequence[Built[CatalogueRecord]]]


def feature_column(feature: str, *names: str) -> Column:
    """The column of one audio feature."""
    return Column(f"audio_features.{feature}", names, cells.number)


def column_name(cell: str) -> str:
    """A header's cell as columns are compared: without regard to case and surrounding blanks."""
    return cell.strip().casefold()


def bind(columns: Iterable[Column], header: Sequence[str]) -> tuple[Bound, ...]:
    """The columns that the header has, in any order; of two of the same name the first counts."""
    places = {column_name(cell): index for index, cell in reversed(list(enumerate(header)))}
    bound = []
    for column in columns:
        index = next((places[name.casefold()] for name in column.names if name.casefold() in places), None)
        if index is not None:
            bound.append(Bound(column.field, header[index].strip(), index, column.read))
    return tuple(bound)


def build(model: type[Record_co], columns: Sequence[Bound], row: CsvRow, **given: object) -> Built[Record_co]:
    """The record that the row's columns hold, with the `given` fields added.

    Optional fields that cannot be used are left out and reported in `dropped`.

    Raises:
        RowUnusable: a field that the record requires is missing or cannot be used.
    """
    names = {column.field: column.name for column in columns}
    values, unread = _read(columns, row)
    _require_optional(model, unread, names)
    values |= given
    try:
        record, refused = model.model_validate(_nested(values)), []
    except ValidationError as error:
        refused = list(faults_of(error))
        _require_optional(model, refused, names)
        unusable = {fault.field for fault in refused}
        record = model.model_validate(_nested({field: values[field] for field in values.keys() - unusable}))
    return Built(record, tuple(_named(fault, names) for fault in unread + refused))


def read_table(rows: Iterator[CsvRow | BadRow], widths: Sequence[int], build_row: BuildRow) -> Iterator[Entry]:
    """Records, bad rows and dropped fields of the rows after the header.

    Songs and playlists are left out where the file repeats them unchanged.

    Args:
        rows: the rows after the header.
        widths: how many cells a row may have; the header's number first.
        build_row: makes all records of one row; raises `RowUnusable` to drop the row.
    """
    fresh = Fresh()
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        elif len(row.cells) not in widths:
            yield BadRow(row.line, WHOLE_ROW, f"has {len(row.cells)} columns where the header has {widths[0]}")
        else:
            yield from _row_entries(row, build_row, fresh)


def _row_entries(row: CsvRow, build_row: BuildRow, fresh: Fresh) -> Iterator[Entry]:
    try:
        built = build_row(row)
    except RowUnusable as unusable:
        yield unusable.at(row.line)
        return
    for each in built:
        yield from (DroppedField(row.line, fault.field, fault.reason) for fault in each.dropped)
        if fresh.is_news(each.record):
            yield Row(row.line, each.record)


def _read(columns: Sequence[Bound], row: CsvRow) -> tuple[dict[str, object], list[Fault]]:
    """The cells' values by field, missing ones left out, and the cells that make no sense."""
    values: dict[str, object] = {}
    faults = []
    for column in columns:
        if column.index >= len(row.cells):
            continue
        try:
            value = column.read(row.cells[column.index])
        except ValueError as error:
            faults.append(Fault(column.field, str(error)))
        else:
            values |= {} if value is None else {column.field: value}
    return values, faults


def _require_optional(model: type[Record], faults: Iterable[Fault], names: Mapping[str, str]) -> None:
    for fault in faults:
        field = model.model_fields.get(fault.field.partition(".")[0])
        if field is None or field.is_required():
            raise RowUnusable(_named(fault, names))


def _named(fault: Fault, names: Mapping[str, str]) -> Fault:
    return Fault(names.get(fault.field, fault.field), fault.reason)


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    """Dotted fields as the objects that hold them: 'audio_features.key' becomes `{"audio_features": {"key": …}}`."""
    nested: dict[str, Any] = {}
    for field, value in values.items():
        outer, dot, inner = field.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[outer] = value
    return nested
