"""The project's own format: one JSON object a line, `{"kind": "song", ...}`, with the fields of `registry.records`."""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC

from pydantic import ValidationError

from registry.imports.rows import WHOLE_ROW, BadRow, Entry, Fault, Row, RowUnusable, faults_of, shown
from registry.imports.text_lines import LINE_BYTES, TextLine
from registry.records import CatalogueRecord, Feedback, Membership, Playlist, Removal, Song

KINDS: dict[str, type[CatalogueRecord]] = {
    "song": Song,
    "playlist": Playlist,
    "membership": Membership,
    "feedback": Feedback,
    "removal": Removal,
}

_KNOWN_KINDS = ", ".join(KINDS)
_TIMES = ("added_at", "at")
_DATE = re.compile(r"\d{4}-")


def read_jsonl(lines: Iterator[TextLine]) -> Iterator[Entry]:
    """One record or one `BadRow` for each line that is not blank."""
    for line in lines:
        if not line.too_long and not line.text.strip():
            continue
        try:
            yield Row(line.number, _record(line))
        except RowUnusable as unusable:
            yield unusable.at(line.number)
        except RecursionError:
            yield BadRow(line.number, WHOLE_ROW, "is nested too deeply")


def _record(line: TextLine) -> CatalogueRecord:
    if line.too_long:
        raise RowUnusable(Fault(WHOLE_ROW, f"is longer than {LINE_BYTES} bytes"))
    fields = _parsed(line.text)
    model = _model(fields)
    try:
        # Through JSON because only there does strict mode take dates and enums from strings, and nothing else.
        record = model.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        raise RowUnusable(next(faults_of(error))) from error
    _require_dates(fields)
    return _in_utc(record)


def _parsed(text: str) -> dict[str, object]:
    try:
        fields = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise RowUnusable(Fault(WHOLE_ROW, f"is not valid JSON: {error.msg} at column {error.colno}")) from error
    except ValueError as error:  # Python's limit on the digits of an integer
        raise RowUnusable(Fault(WHOLE_ROW, "holds a number with too many digits")) from error
    if not isinstance(fields, dict):
        raise RowUnusable(Fault(WHOLE_ROW, "is not a JSON object"))
    return _with_missing_features(fields)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of which no key is repeated and no text is broken; 251668.0 becomes 251668, as integers must be."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise RowUnusable(Fault(shown(key), "is given twice"))
        if _is_broken(key) or (isinstance(value, str) and _is_broken(value)):
            raise RowUnusable(Fault(shown(key), "contains half of a surrogate pair, so it is not valid Unicode"))
        found[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    return found


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _with_missing_features(fields: dict[str, object]) -> dict[str, object]:
    """Audio features that are NaN or infinite count as missing: that is how data frames write a missing number."""
    match fields.get("audio_features", {}):
        case None:
            return fields | {"audio_features": {}}
        case dict() as features if features:
            return fields | {"audio_features": {name: _known(value) for name, value in features.items()}}
        case _:
            return fields


def _known(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _model(fields: dict[str, object]) -> type[CatalogueRecord]:
    """The record that the line is, by its `kind`, which is taken out of `fields`."""
    if "kind" not in fields:
        raise RowUnusable(Fault("kind", f"is missing; it is one of {_KNOWN_KINDS}"))
    kind = fields.pop("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise RowUnusable(Fault("kind", f"'{shown(kind)}' is none of {_KNOWN_KINDS}"))
    return KINDS[kind]


def _require_dates(fields: dict[str, object]) -> None:
    """Pydantic also takes "20250302", or any number as text, for a time: so many seconds after 1970."""
    for name in _TIMES:
        time = fields.get(name)
        if isinstance(time, str) and not _DATE.match(time):
            raise RowUnusable(Fault(name, f"should be an ISO 8601 date and time, not '{shown(time)}'"))


def _in_utc(record: CatalogueRecord) -> CatalogueRecord:
    """A time without an offset is UTC, lest the same file mean different times on different machines."""
    match record:
        case Membership(added_at=moment) if moment is not None and moment.tzinfo is None:
            return record.model_copy(update={"added_at": moment.replace(tzinfo=UTC)})
        case Feedback(at=moment) if moment.tzinfo is None:
            return record.model_copy(update={"at": moment.replace(tzinfo=UTC)})
        case _:
            return record
