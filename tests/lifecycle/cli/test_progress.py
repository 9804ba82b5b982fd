"""How far work is, told on stderr: a bar to people, lines to logs, JSON to scripts."""

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from lifecycle.cli import progress
from lifecycle.cli.progress import LineProgress, TerminalProgress, progress_on


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def lines(as_json: bool, clock: Clock, *steps: tuple[float, int, dict[str, int]]) -> list[str]:
    """What is printed on a task of 400 songs: after so many seconds so many are done, with these facts."""
    printed = StringIO()
    told = LineProgress(Console(file=printed, width=20), as_json=as_json)
    with told.task("Embedding songs for v2", 400, unit="songs") as advance:
        for seconds, done, facts in steps:
            clock.now += seconds
            advance(done, **facts)
    return printed.getvalue().splitlines()


def documents(*arguments: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(True, *arguments)]


def test_there_is_a_line_at_the_beginning_every_half_minute_and_at_the_end(clock: Clock) -> None:
    steps: list[tuple[float, int, dict[str, int]]] = [(1.0, number, {}) for number in range(1, 71)]
    assert lines(False, clock, *steps) == [
        "Embedding songs for v2: 0 of 400 (0%)",
        "Embedding songs for v2: 30 of 400 (8%), 6 min 10 s left, 1 songs/s",
        "Embedding songs for v2: 60 of 400 (15%), 5 min 40 s left, 1 songs/s",
        "Embedding songs for v2: 70 of 400 (18%), 5 min 30 s left, 1 songs/s",
    ]


def test_a_line_tells_speed_time_left_and_facts_that_are_not_zero(clock: Clock) -> None:
    told = lines(False, clock, (30, 150, {"workers": 3, "quarantined": 0}), (10, 200, {"workers": 1, "quarantined": 2}))
    assert told[1:] == [
        "Embedding songs for v2: 150 of 400 (38%), 50 s left, 5 songs/s, workers 3",
        "Embedding songs for v2: 200 of 400 (50%), 40 s left, 5 songs/s, workers 1, quarantined 2",
    ]


def test_as_json_each_line_is_an_object_with_all_of_it(clock: Clock) -> None:
    first, half, last = documents(
        clock, (40, 200, {"workers": 3, "quarantined": 2}), (5, 400, {"workers": 1, "quarantined": 2})
    )
    about = {"task": "Embedding songs for v2", "total": 400, "unit": "songs"}
    assert first == {**about, "done": 0}
    assert half == {**about, "done": 200, "workers": 3, "quarantined": 2, "per_second": 5.0, "seconds_left": 40}
    assert last == {**about, "done": 400, "workers": 1, "quarantined": 2, "per_second": 8.9, "seconds_left": 0}


@pytest.mark.parametrize(
    ("seconds", "left"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_599.6, "1 h 0 min"), (90_061, "25 h 1 min")]
)
def test_time_left_is_said_as_people_say_it(clock: Clock, seconds: float, left: str) -> None:
    told = lines(False, clock, (seconds, 200, {}))
    assert f", {left} left, " in told[-1]


def test_a_total_that_shows_only_on_the_way_is_taken(clock: Clock) -> None:
    printed = StringIO()
    with LineProgress(Console(file=printed), as_json=False).task("Indexing v2", 0) as advance:
        clock.now += 40
        advance(10, 50)
        clock.now += 10
        advance(50, 50)
    assert printed.getvalue().splitlines() == [
        "Indexing v2: 0 of 0",
        "Indexing v2: 10 of 50 (20%), 2 min 40 s left",
        "Indexing v2: 50 of 50 (100%)",
    ]


def test_a_message_is_a_line_or_an_object(clock: Clock) -> None:  # noqa: ARG001
    printed = StringIO()
    LineProgress(Console(file=printed, width=20), as_json=False).say("refused [/graphql] by [bold] and much more")
    LineProgress(Console(file=printed, width=20), as_json=True).say('Größe "10"')
    told, document = printed.getvalue().splitlines()
    assert told == "refused [/graphql] by [bold] and much more"
    assert json.loads(document) == {"message": 'Größe "10"'}
    assert "Größe" in document


def test_nothing_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        told = progress_on(Console(stderr=True), as_json=as_json)
        told.say("hello")
        with told.task("Embedding", 10, unit="songs") as advance:
            advance(5, workers=1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "hello" in printed.err


@pytest.mark.parametrize(
    ("terminal", "as_json", "kind"),
    [
        (True, False, TerminalProgress),
        (False, False, LineProgress),
        (True, True, LineProgress),
        (False, True, LineProgress),
    ],
)
def test_bars_are_for_terminals(terminal: bool, as_json: bool, kind: type) -> None:
    console = Console(file=StringIO(), force_terminal=terminal)
    assert type(progress_on(console, as_json=as_json)) is kind


def test_a_bar_shows_share_speed_and_facts() -> None:
    printed = StringIO()
    console = Console(file=printed, force_terminal=True, width=160, color_system=None)
    with TerminalProgress(console).task("Embedding songs for v2", 400, unit="songs") as advance:
        advance(400, workers=3, quarantined=2)
    shown = printed.getvalue()
    for part in ("Embedding songs for v2", "400/400", "100%", "songs/s", "workers 3", "quarantined 2"):
        assert part in shown
