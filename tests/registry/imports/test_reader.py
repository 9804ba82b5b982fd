"""Detection, refusals, and what must hold for any file at all."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import AutosortError, BadInput, UnknownFormat
from registry.imports.reader import BadRow, DroppedField, Entry, ImportFormat, Row, detect_format, read_library
from registry.records import Membership, Playlist, Song

SONG = b'{"kind": "song", "song_id": "s-1", "title": "Paper Lanterns"}\n'
SONG_RECORD = Song(song_id="s-1", title="Paper Lanterns")
SPOTIFY_HEADER = b"track_id,track_name,playlist_id,playlist_name,energy,track_album_release_date\n"
EXPORTIFY_HEADER = b"Track URI,Track Name,Artist Name(s),Added At,Energy\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def written(content: bytes) -> Path:
        path = tmp_path / "rainy_sundays.txt"
        path.write_bytes(content)
        return path

    return written


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SONG, ImportFormat.JSONL),
        (b"\n  \r\n" + SONG, ImportFormat.JSONL),
        (b'{"broken\n', ImportFormat.JSONL),
        (SPOTIFY_HEADER, ImportFormat.SPOTIFY_CSV),
        (b"\n\n" + SPOTIFY_HEADER, ImportFormat.SPOTIFY_CSV),
        (b"extra," + b",".join(reversed(SPOTIFY_HEADER.strip().split(b","))), ImportFormat.SPOTIFY_CSV),
        (EXPORTIFY_HEADER, ImportFormat.EXPORTIFY_CSV),
        (b'"Spotify ID","Artist IDs","Track Name","Album Name","Artist Name(s)"\r\n', ImportFormat.EXPORTIFY_CSV),
    ],
)
def test_the_content_decides_the_format(write: Callable[[bytes], Path], content: bytes, expected: ImportFormat) -> None:
    assert detect_format(write(content)) is expected
    assert detect_format(write(b"\xef\xbb\xbf" + content)) is expected


@pytest.mark.parametrize(
    "content",
    [
        b"name,artist\nPaper Lanterns,Mira Vale\n",
        b"[1, 2]\n",
        b'"an open quote\n',
        b'""\n',
        b"\r" + SPOTIFY_HEADER,
        SPOTIFY_HEADER.replace(b"playlist_name", b"name"),
        SPOTIFY_HEADER.replace(b",", b";"),
        b"x" * 3_000_000,
        b"column," * 1_000,
    ],
)
def test_an_unknown_format_shows_the_header_and_names_the_known_ones(
    write: Callable[[bytes], Path], content: bytes
) -> None:
    with pytest.raises(UnknownFormat) as caught:
        read_library(write(content))
    assert repr(content.split(b"\n")[0].decode().strip()[:10])[1:-1] in caught.value.fact
    assert len(caught.value.fact) < 600
    assert "docs/import-formats.md" in caught.value.remedy
    assert all(name in caught.value.remedy for name in ("JSONL", "Spotify", "Exportify"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n \n\r\n", "empty but for blank lines"),
        (SONG.decode().encode("utf-16"), "UTF-16"),
        (SONG.decode().encode("utf-16-le"), "UTF-16"),
        (SONG.decode().encode("utf-16-be"), "UTF-16"),
        ("track_id,naïve\n".encode("latin-1"), "not UTF-8: line 1, byte 12"),
    ],
)
def test_a_file_that_is_no_utf8_text_is_refused_at_once(
    write: Callable[[bytes], Path], content: bytes, expected: str
) -> None:
    with pytest.raises(BadInput, match=expected) as caught:
        read_library(write(content))
    assert caught.value.remedy


def test_a_line_that_is_not_utf8_is_named(write: Callable[[bytes], Path]) -> None:
    entries = read_library(write(SONG * 2 + b'{"kind": "song", "song_id": "\xff"}\n' + SONG))
    assert next(entries) == Row(1, SONG_RECORD)
    with pytest.raises(BadInput, match="line 3, byte 30"):
        list(entries)


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_library(tmp_path / "absent.csv")
    with pytest.raises(BadInput, match="is a directory"):
        read_library(tmp_path)
    with pytest.raises(BadInput, match="not a regular file"):
        read_library(Path("/dev/null"))
    with pytest.raises(BadInput, match="cannot be read"):
        read_library(tmp_path / ("x" * 5_000))


def test_a_stream_begins_before_the_file_ends(write: Callable[[bytes], Path]) -> None:
    path = write(SONG + b"{}\n" * 200_000)
    entries = read_library(path)
    assert next(entries) == Row(1, SONG_RECORD)
    path.write_bytes(b"")  # what was not yet read is gone
    assert sum(1 for _ in entries) < 200_000


def test_a_line_beyond_all_bounds_costs_only_itself(write: Callable[[bytes], Path]) -> None:
    huge = b'{"kind": "song", "song_id": "s", "title": "' + b"x" * 5_000_000 + b'"}\n'
    assert list(read_library(write(huge + SONG))) == [
        BadRow(1, "row", "is longer than 1048576 bytes"),
        Row(2, SONG_RECORD),
    ]


def test_a_whole_line_may_be_as_long_as_the_bound(write: Callable[[bytes], Path]) -> None:
    exact = SONG.strip() + b" " * (2**20 - len(SONG.strip()))
    assert list(read_library(write(exact))) == [Row(1, SONG_RECORD)]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_every_record_has_the_line_on_which_its_row_starts(write: Callable[[bytes], Path], start: bytes) -> None:
    def lines(content: bytes) -> list[tuple[str, int]]:
        return [(type(e.record).__name__, e.line) for e in read_library(write(start + content)) if isinstance(e, Row)]

    assert lines(b"\n\n" + SONG + b"\n" + SONG) == [("Song", 3), ("Song", 5)]
    spotify = b's-1,"Paper\n\nLanterns",p-1,Rainy,,\n\ns-2,Tide,p-1,Rainy,,\n'
    assert lines(b"\n" + SPOTIFY_HEADER + spotify) == [
        ("Playlist", 3),
        ("Song", 3),
        ("Membership", 3),
        ("Song", 7),
        ("Membership", 7),
    ]
    exportify = b's-1,"Paper\r\nLanterns",Mira Vale,,\ns-2,Tide,Mira Vale,,\n'
    assert lines(b"\n" + EXPORTIFY_HEADER + exportify) == [
        ("Playlist", 1),
        ("Song", 3),
        ("Membership", 3),
        ("Song", 5),
        ("Membership", 5),
    ]


def _read(content: bytes) -> list[Entry] | None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(content)
        try:
            return list(read_library(path))
        except AutosortError:
            return None


def _check(entries: list[Entry] | None) -> None:
    for entry in entries or []:
        assert isinstance(entry, Row | BadRow | DroppedField)
        assert entry.line >= 1
        if isinstance(entry, Row):
            assert isinstance(entry.record, Song | Playlist | Membership)
        else:
            assert entry.field
            assert len(entry.field) + len(entry.reason) < 250
            assert (entry.field + entry.reason).isprintable()


BEGINNINGS = st.sampled_from([b"", b"{", b"\xef\xbb\xbf", SONG, SPOTIFY_HEADER, EXPORTIFY_HEADER])
CSV_PIECES = st.lists(st.sampled_from(['"', ",", "\n", "\r", "a", "nan", "1e9", " ", "\0", "é", "-1", "2024-1", "inf"]))


@given(BEGINNINGS, st.binary())
def test_no_bytes_raise_anything_but_our_errors(beginning: bytes, rest: bytes) -> None:
    _check(_read(beginning + rest))


@given(BEGINNINGS, CSV_PIECES)
def test_no_csv_raises_anything_but_our_errors(beginning: bytes, pieces: list[str]) -> None:
    _check(_read(beginning + "".join(pieces).encode()))


def _is_membership(row: Row) -> bool:
    return isinstance(row.record, Membership)


@given(st.sampled_from([SPOTIFY_HEADER, EXPORTIFY_HEADER]), st.lists(st.lists(st.text(), min_size=5, max_size=6)))
def test_every_quoted_row_is_accounted_for(header: bytes, rows: list[list[str]]) -> None:
    width = header.count(b",") + 1
    table = ["".join(f'"{c.replace(chr(34), chr(34) * 2)}",' for c in (row * 2)[:width])[:-1] + "\n" for row in rows]
    content = header + "".join(table).encode(errors="replace")
    entries = _read(content)
    _check(entries)
    assert entries is not None
    starts, line = [], 2
    for row in table:
        starts.append(line)
        line += row.count("\n")
    accounted = [e.line for e in entries if isinstance(e, BadRow) or (isinstance(e, Row) and _is_membership(e))]
    assert accounted == starts


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from([*Song.model_fields, *Membership.model_fields, "user", "verdict", "at", "energy", "\ud800"])
OBJECTS = st.dictionaries(FIELDS, JSON_VALUES | st.dictionaries(FIELDS, JSON_VALUES))
KINDS = st.sampled_from(["song", "playlist", "membership", "feedback", "removal"]) | JSON_VALUES


@given(st.lists(JSON_VALUES | st.builds(lambda kind, rest: {"kind": kind} | rest, KINDS, OBJECTS)))
def test_every_json_line_is_a_record_or_a_bad_row(values: list[object]) -> None:
    lines = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    entries = _read(SONG + lines)
    assert entries is not None
    assert [entry.line for entry in entries] == list(range(1, len(values) + 2))
    assert all(isinstance(entry, Row | BadRow) for entry in entries)
