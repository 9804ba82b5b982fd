"""Rows of a CSV file, each with the physical line on which it starts; a broken row costs only itself."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from registry.imports.rows import WHOLE_ROW, BadRow, shown
from registry.imports.text_lines import LINE_BYTES, TextLine

# A global of the csv module. Raised, never lowered: a wrongly quoted field is cut off by it, a long text is not.
csv.field_size_limit(max(csv.field_size_limit(), LINE_BYTES))


@dataclass(frozen=True)
class CsvRow:
    line: int
    cells: tuple[str, ...]


class _LineTooLong(Exception):
    pass


class _RowLines(Iterator[str]):
    """Feeds the csv module and remembers the lines of the current row, so that they can be read again."""

    def __init__(self, lines: Iterator[TextLine]) -> None:
        self._lines = lines
        self._again: deque[TextLine] = deque()
        self._row: list[TextLine] = []

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._row.append(line)
        if line.too_long:
            raise _LineTooLong
        return line.text

    def end_row(self) -> int:
        """Close the current row; the line on which it started."""
        first, self._row = self._row[0], []
        return first.number

    def give_up_row(self) -> int:
        """Close a broken row: all its lines but the first will be read again, as they may be rows themselves."""
        self._again.extendleft(reversed(self._row[1:]))
        return self.end_row()


def csv_rows(lines: Iterator[TextLine]) -> Iterator[CsvRow | BadRow]:
    """All rows, the header included; blank lines are left out.

    A quote that is never closed swallows the lines up to the next quote. Those are read again, each at most a few
    times: only a line with an odd number of quotes can open a field, and such a line also ends or breaks it.
    """
    source = _RowLines(lines)
    reader = csv.reader(source, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _LineTooLong:
            yield BadRow(source.give_up_row(), WHOLE_ROW, f"has a line of more than {LINE_BYTES} bytes")
        except csv.Error as error:
            yield BadRow(source.give_up_row(), WHOLE_ROW, f"is not valid CSV: {shown(error)}")
        else:
            line = source.end_row()
            if any(cell.strip() for cell in cells) or len(cells) > 1:
                yield CsvRow(line, tuple(cells))
