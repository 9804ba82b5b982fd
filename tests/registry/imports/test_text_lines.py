from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from registry.imports.text_lines import LINE_BYTES, TextLine, text_lines


def read(folder: Path, content: bytes) -> list[TextLine]:
    path = folder / "lines.txt"
    path.write_bytes(content)
    return list(text_lines(path))


def test_lines_are_numbered_and_keep_their_endings(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfa\r\n\nb\rc\n\xc3\xa9") == [
        TextLine(1, "a\r\n"),
        TextLine(2, "\n"),
        TextLine(3, "b\rc\n"),
        TextLine(4, "é"),
    ]


def test_a_line_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    for beginning, size in product((b"", b"\xef\xbb\xbf"), (LINE_BYTES + 1, LINE_BYTES * 3, LINE_BYTES * 3 + 5)):
        first, second = read(tmp_path, beginning + b"x" * size + b"\nnext\n")
        assert (first.number, first.too_long) == (1, True)
        assert second == TextLine(2, "next\n")


def test_a_line_cut_inside_a_character_is_no_encoding_error(tmp_path: Path) -> None:
    (line,) = read(tmp_path, b"x" + "é".encode() * LINE_BYTES)
    assert line.too_long


def test_a_last_line_as_long_as_the_bound_is_whole(tmp_path: Path) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        (line,) = read(tmp_path, mark + b"x" * (LINE_BYTES - len(mark)))
        assert not line.too_long


@given(content=st.text(alphabet="aé\r\n\u2028\x0b"))
def test_nothing_is_lost(content: str) -> None:
    with TemporaryDirectory() as folder:
        lines = read(Path(folder), content.encode())
    assert "".join(line.text for line in lines) == content
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
