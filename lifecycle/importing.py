"""Bringing library files into the catalogue."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lifecycle.workspace import Workspace
from registry import catalogue
from registry.imports.reader import BadRow, DroppedField, Row, detect_format, read_library
from registry.imports.rows import shown
from registry.records import CatalogueRecord


@dataclass
class ImportReport:
    """What became of one file. Records that were neither added nor changed were known already."""

    file: str
    format: str
    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    removed: int = 0
    unusable: list[BadRow] = field(default_factory=list)
    dropped: list[DroppedField] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return asdict(self)


def import_file(workspace: Workspace, path: Path) -> ImportReport:
    """Merge one file into the catalogue: all of its usable rows, or, if this fails, none.

    Raises:
        BadInput: the file cannot be read at all.
    """
    report = ImportReport(str(path), detect_format(path).value)
    with workspace.database.transaction() as connection:
        merged = catalogue.merge(connection, _usable(path, report))
    report.added, report.changed, report.removed = merged.added, merged.changed, merged.removed
    report.unusable += [
        BadRow(each.line, each.field, f"names '{shown(each.value)}', which neither this file nor the catalogue holds")
        for each in merged.dangling
    ]
    report.unusable.sort(key=lambda row: row.line)
    return report


def _usable(path: Path, report: ImportReport) -> Iterator[tuple[int, CatalogueRecord]]:
    for entry in read_library(path):
        match entry:
            case Row(line, record):
                yield line, record
            case BadRow():
                report.unusable.append(entry)
            case DroppedField():
                report.dropped.append(entry)
