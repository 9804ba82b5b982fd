import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from registry.imports.jsonl import KINDS, read_jsonl
from registry.imports.rows import BadRow, Entry, Row
from registry.imports.text_lines import TextLine
from registry.records import AudioFeatures, Feedback, Membership, Playlist, Removal, Song, Verdict

SONG = '{"kind": "song", "song_id": "s-1", "title": "Paper Lanterns"'


def read(*lines: str) -> list[Entry]:
    def numbered() -> Iterator[TextLine]:
        for number, line in enumerate(lines, start=1):
            yield TextLine(number, line + "\n")

    return list(read_jsonl(numbered()))


def bad(line: str) -> BadRow:
    (entry,) = read(line)
    assert isinstance(entry, BadRow)
    return entry


def test_each_kind_becomes_its_record() -> None:
    moved = {"user": "u-7", "song_id": "s-1", "playlist_id": "p-2", "verdict": "move", "from_playlist_id": "p-1"}
    assert read(
        '{"kind": "playlist", "playlist_id": "p-1", "name": "Rainy Sundays", "genre": "folk"}',
        SONG + ', "duration_ms": 251668.0, "release_date": "2024-11", "audio_features": {"energy": 0.31, "key": 5}}',
        '{"kind": "membership", "playlist_id": "p-1", "song_id": "s-1", "added_at": "2025-03-02T18:40:00Z"}',
        json.dumps({"kind": "feedback", "at": "2025-03-03T08:00:00+02:00"} | moved),
        '{"kind": "removal", "song_id": "s-1"}',
    ) == [
        Row(1, Playlist(playlist_id="p-1", name="Rainy Sundays", genre="folk")),
        Row(
            2,
            Song(
                song_id="s-1",
                title="Paper Lanterns",
                duration_ms=251668,
                release_date="2024-11",
                audio_features=AudioFeatures(energy=0.31, key=5),
            ),
        ),
        Row(3, Membership(playlist_id="p-1", song_id="s-1", added_at=datetime(2025, 3, 2, 18, 40, tzinfo=UTC))),
        Row(
            4,
            Feedback(
                user="u-7",
                song_id="s-1",
                playlist_id="p-2",
                verdict=Verdict.MOVE,
                from_playlist_id="p-1",
                at=datetime(2025, 3, 3, 6, tzinfo=UTC),
            ),
        ),
        Row(5, Removal(song_id="s-1")),
    ]
    assert set(KINDS) == {"song", "playlist", "membership", "feedback", "removal"}


def test_blank_lines_are_skipped_and_counted() -> None:
    assert read("", "   ", "{}", "\t", SONG + "}") == [
        BadRow(3, "kind", "is missing; it is one of song, playlist, membership, feedback, removal"),
        Row(5, Song(song_id="s-1", title="Paper Lanterns")),
    ]


@pytest.mark.parametrize("missing", ["NaN", "Infinity", "-Infinity", "1e999", "null"])
def test_audio_features_that_are_no_numbers_are_missing(missing: str) -> None:
    assert read(SONG + f', "audio_features": {{"energy": {missing}, "tempo": 84}}}}') == [
        Row(1, Song(song_id="s-1", title="Paper Lanterns", audio_features=AudioFeatures(tempo=84)))
    ]


def test_null_audio_features_are_none_at_all() -> None:
    assert read(SONG + ', "audio_features": null}') == [Row(1, Song(song_id="s-1", title="Paper Lanterns"))]


def test_times_without_an_offset_are_utc() -> None:
    assert read(
        '{"kind": "membership", "playlist_id": "p", "song_id": "s", "added_at": "2025-03-02T18:40:00"}',
        '{"kind": "feedback", "user": "u", "playlist_id": "p", "song_id": "s", "verdict": "accept",'
        ' "at": "2025-03-02T18:40:00"}',
    ) == [
        Row(1, Membership(playlist_id="p", song_id="s", added_at=datetime(2025, 3, 2, 18, 40, tzinfo=UTC))),
        Row(
            2,
            Feedback(
                user="u",
                playlist_id="p",
                song_id="s",
                verdict=Verdict.ACCEPT,
                at=datetime(2025, 3, 2, 18, 40, tzinfo=UTC),
            ),
        ),
    ]


@pytest.mark.parametrize("number", ["5", "-5", "+5", "5.5", "20250302", "9999999999999"])
def test_a_number_as_text_is_no_time(number: str) -> None:
    reason = f"should be an ISO 8601 date and time, not '{number}'"
    membership = {"kind": "membership", "playlist_id": "p", "song_id": "s", "added_at": number}
    feedback = {"kind": "feedback", "user": "u", "playlist_id": "p", "song_id": "s", "verdict": "accept", "at": number}
    assert read(json.dumps(membership), json.dumps(feedback), SONG + f', "at": "{number}"}}') == [
        BadRow(1, "added_at", reason),
        BadRow(2, "at", reason),
        BadRow(3, "at", "is no known field"),
    ]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("not json", "row", "not valid JSON"),
        (SONG, "row", "not valid JSON"),
        ("[1]", "row", "not a JSON object"),
        ('"song"', "row", "not a JSON object"),
        ('{"song_id": "s"}', "kind", "is missing"),
        ('{"kind": "album"}', "kind", "'album' is none of song, playlist"),
        ('{"kind": ["song"]}', "kind", "is none of"),
        ('{"kind": "song", "song_id": "s"}', "title", "is missing"),
        (SONG + ', "mood": "calm"}', "mood", "is no known field"),
        (SONG + ', "title": "Again"}', "title", "is given twice"),
        (SONG + ', "artist": 5}', "artist", "should be a valid string, not 5"),
        (SONG + ', "popularity": "97"}', "popularity", "should be a valid integer, not '97'"),
        (SONG + ', "popularity": true}', "popularity", "should be a valid integer"),
        (SONG + ', "popularity": 101}', "popularity", "less than or equal to 100, not 101"),
        (SONG + ', "duration_ms": NaN}', "duration_ms", "should be a valid integer, not nan"),
        (SONG + ', "duration_ms": 1' + "0" * 400 + "}", "duration_ms", "less than or equal to 2147483647"),
        (SONG + ', "duration_ms": 1' + "0" * 9_000 + "}", "row", "too many digits"),
        (SONG + ', "release_date": "last year"}', "release_date", "should be YYYY, YYYY-MM or YYYY-MM-DD"),
        (SONG + ', "audio_features": {"energy": 7}}', "audio_features.energy", "less than or equal to 1, not 7"),
        (SONG + ', "audio_features": {"mood": 1}}', "audio_features.mood", "is no known field"),
        (SONG + ', "audio_features": [1]}', "audio_features", "should be an object"),
        (SONG + ', "album": "\\ud800"}', "album", "half of a surrogate pair"),
        (SONG + ', "\\ud800": 1}', "\\ud800", "half of a surrogate pair"),
        (SONG + ', "album": "a\\u0000b"}', "album", "contains a NUL character"),
        (SONG + ', "album": "a\0b"}', "row", "not valid JSON"),
        (SONG + ', "album": ["\\ud800"]}', "row", "nvalid JSON"),
        (SONG + ', "album": ' + "[" * 500 + "]" * 500 + "}", "row", "recursion limit"),
        (SONG + ', "album": ' + "[" * 200_000 + "]" * 200_000 + "}", "row", "nested too deeply"),
        ('{"kind": "removal"}', "row", "needs song_id, playlist_id or both"),
        ('{"kind": "membership", "playlist_id": "p", "song_id": "s", "source": "x"}', "source", "not 'x'"),
        ('{"kind": "membership", "playlist_id": "p", "song_id": "s", "added_at": 5}', "added_at", "valid datetime"),
    ],
)
def test_a_bad_line_names_its_field(line: str, field: str, reason: str) -> None:
    entry = bad(line)
    assert entry.field == field
    assert reason in entry.reason
    assert len(entry.reason) < 200


@pytest.mark.parametrize("value", ["x" * 5_000, "\u0007" * 5_000, "é" * 5_000])
def test_a_reason_repeats_little_of_the_value(value: str) -> None:
    entry = bad(SONG + f', "album": {json.dumps(value)}}}')
    assert entry.field == "album"
    assert len(entry.reason) - len("string should have at most 1000 characters, not ''") <= 60
    assert bad(SONG + f", {json.dumps(value)}: 1}}").field.endswith("…")


def test_a_bad_line_costs_only_itself() -> None:
    entries = read(SONG + "}", "{", SONG.replace("s-1", "s-2") + "}")
    assert [type(entry) for entry in entries] == [Row, BadRow, Row]
    assert [entry.line for entry in entries] == [1, 2, 3]
    assert [entry.record for entry in entries if isinstance(entry, Row)] == [
        Song(song_id="s-1", title="Paper Lanterns"),
        Song(song_id="s-2", title="Paper Lanterns"),
    ]
