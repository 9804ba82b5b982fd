import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from registry.imports.csv_rows import CsvRow, csv_rows
from registry.imports.rows import BadRow
from registry.imports.text_lines import TextLine


def read(text: str) -> list[CsvRow | BadRow]:
    lines = text.splitlines(keepends=True) if "\r" not in text else io.StringIO(text, newline="\n").readlines()
    return list(csv_rows(TextLine(number, line) for number, line in enumerate(lines, start=1)))


def test_a_row_has_the_line_on_which_it_starts() -> None:
    assert read('a,b\n"one\n\ntwo",2\n\n3,4\r\n') == [
        CsvRow(1, ("a", "b")),
        CsvRow(2, ("one\n\ntwo", "2")),
        CsvRow(6, ("3", "4")),
    ]


def test_blank_lines_are_left_out_and_rows_of_empty_cells_are_not() -> None:
    assert read("a,b\n\n  \n,\n") == [CsvRow(1, ("a", "b")), CsvRow(4, ("", ""))]


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    bad, *rows = read('"open,1\nb,2\nc,3\n')
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.field) == (1, "row")
    assert "not valid CSV" in bad.reason
    assert rows == [CsvRow(2, ("b", "2")), CsvRow(3, ("c", "3"))]


def test_an_open_quote_that_meets_another_costs_no_line_between_them() -> None:
    entries = read('a,1\n"open,2\nb,3\n"c",4\nd,5\n')
    assert [entry.line for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.line for entry in entries if isinstance(entry, BadRow)] == [2]


def test_text_after_a_closing_quote_is_a_bad_row() -> None:
    bad, row = read('"a"b,1\nc,2\n')
    assert isinstance(bad, BadRow)
    assert row == CsvRow(2, ("c", "2"))


def test_a_line_that_is_too_long_costs_the_row_that_it_is_in() -> None:
    lines = [TextLine(1, 'a,"b\n'), TextLine(2, "xxx", too_long=True), TextLine(3, "c,d\n")]
    assert list(csv_rows(iter(lines))) == [
        BadRow(1, "row", "has a line of more than 1048576 bytes"),
        BadRow(2, "row", "has a line of more than 1048576 bytes"),
        CsvRow(3, ("c", "d")),
    ]


def test_a_field_of_200_000_characters_is_no_error() -> None:
    (row,) = read('a,"' + "x" * 200_000 + '"\n')
    assert isinstance(row, CsvRow)


def test_broken_quotes_all_the_way_down_are_read_in_linear_time() -> None:
    assert len(read('"""\n""""\nx\n' * 20_000)) >= 20_000


CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), min_size=1)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4)))
def test_what_the_csv_module_writes_is_read_back(table: list[list[str]]) -> None:
    written = io.StringIO(newline="")
    starts = []
    for row in table:
        starts.append(written.getvalue().count("\n") + 1)
        csv.writer(written, quoting=csv.QUOTE_ALL).writerow(row)
    lines = io.StringIO(written.getvalue(), newline="\n").readlines()
    rows = list(csv_rows(TextLine(number, line) for number, line in enumerate(lines, start=1)))
    assert rows == [CsvRow(line, tuple(row)) for line, row in zip(starts, table, strict=True)]
