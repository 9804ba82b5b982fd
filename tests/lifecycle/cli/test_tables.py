"""Tables for people."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from lifecycle.cli.tables import evaluation_table, print_matches

FIGURES = {"n": 40, "top1": 0.5, "top5": 0.8, "mrr": 0.6, "recall_at_20": 0.9, "ndcg_at_10": 0.7}
REPORT: dict[str, Any] = {"version": "v2", **FIGURES, "regimes": {}, "genres": {}}


def test_an_evaluation_says_how_many_songs_without_a_home_are_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    none_fits = {"n": 40, "threshold": 0.2, "kept": 0.9, "recognised": 0.65, "curve": []}
    Console(width=120).print(evaluation_table({**REPORT, "none_fits": none_fits}))
    said = capsys.readouterr().out
    assert "65.0% of 40 songs" in said
    assert "90.0% of the right answers stand" in said


def test_an_older_evaluation_says_nothing_of_songs_without_a_home(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=120).print(evaluation_table(REPORT))
    assert "none fits" not in capsys.readouterr().out


# Matches --------------------------------------------------------------------------------------------------------------


def match(name: str, **facts: Any) -> dict[str, Any]:
    signals = {"nearest": 1.24, "acoustic": -0.62, "era": 0.01}
    return {"name": name, "type": "default", "score": 0.63, "signals": signals, "already_in": False, "why": "", **facts}


def result(*matches: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"song": {"title": "Low Tide", "artist": "Mara Venn"}, "matches": matches, **facts}


def printed(*results: dict[str, Any], width: int = 100, colour: bool = False) -> str:
    console = Console(width=width, force_terminal=colour, color_system="standard" if colour else None, file=StringIO())
    print_matches(console, {"results": results})
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_song_is_told_with_its_playlists_what_moved_them_and_why() -> None:
    found = printed(result(match("Night drive", type="mood", why="it is close to \u201cHarbour\u201d")))
    assert "Low Tide by Mara Venn" in found
    (line,) = (each for each in found.splitlines() if "Night drive" in each)
    assert [each.strip() for each in line.split("\u2502")] == [
        "Night drive mood",
        "+0.63",
        "nearest +1.2 acoustic -0.6",
    ]
    assert "it is close to \u201cHarbour\u201d" in found
    assert "era" not in found
    assert "already in" not in found


def test_playlists_that_hold_the_song_already_say_so() -> None:
    assert "Night drive (already in)" in printed(result(match("Night drive", already_in=True)))


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"fits": True, "confidence": 0.914}, "(91% sure of the first)"),
        ({"fits": False, "confidence": 0.08}, "(none fits: 8% sure of the first)"),
        ({}, "Low Tide by Mara Venn\n"),
    ],
)
def test_whether_any_fits_is_told_where_it_is_known(facts: dict[str, Any], told: str) -> None:
    lines = [line.rstrip() + "\n" for line in printed(result(match("Night drive"), **facts)).splitlines()]
    assert told in "".join(lines)


def test_colours_are_for_terminals_only() -> None:
    song = result(match("Night drive"))
    assert "\x1b" not in printed(song)
    told = printed(song, colour=True)
    assert "\x1b[32mnearest +1.2\x1b[0m" in told
    assert "\x1b[31macoustic -0.6\x1b[0m" in told


def test_a_narrow_terminal_loses_no_words() -> None:
    told = printed(result(match("Songs for the long way home", why="it sounds alike (energy, valence)")), width=44)
    assert max(map(len, told.splitlines())) <= 44
    first_column = " ".join(line[:20].strip() for line in told.splitlines()).split()
    assert {"Songs", "long", "home", "sounds", "(energy,", "valence)"} <= set(first_column)


def test_names_are_text_and_never_markup() -> None:
    song = result(match("[red]Loud[/]", why="they share words ([bold])"))
    song["song"] = {"title": "[i]Mine[/i]", "artist": None}
    told = printed(song)
    assert "[red]Loud[/]" in told
    assert "([bold])" in told
    assert "[i]Mine[/i]" in told


def test_a_library_without_playlists_gives_a_table_without_rows() -> None:
    told = printed(result())
    assert "Low Tide by Mara Venn" in told
    assert "playlist, and why" in told
