"""What a log tells, and what it keeps to itself."""

import io
import json
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from registry.errors import DatabaseError
from serving.monitoring.log_writer import LogWriter
from serving.monitoring.logs import FIELDS, REQUEST_ID, JsonLines, TextLines

PRIVATE = "what-nobody-else-may-read"

Logged = Callable[[Callable[[logging.Logger], None]], str]


@pytest.fixture(params=[JsonLines, TextLines])
def logged(request: pytest.FixtureRequest) -> Logged:
    """What a logger writes, in either form."""
    stream = io.StringIO()
    handler = LogWriter(stream)
    handler.setFormatter(request.param())
    logger = logging.Logger("a.test")  # noqa: LOG001 - of no hierarchy
    logger.addHandler(handler)

    def write(act: Callable[[logging.Logger], None]) -> str:
        act(logger)
        handler.flush()
        return stream.getvalue()

    return write


def failing(logger: logging.Logger) -> None:
    try:
        dict[str, str]()[PRIVATE]
    except KeyError as error:
        try:
            raise ValueError(f"cannot take {PRIVATE}") from error
        except ValueError:
            logger.exception("It failed")


def test_of_an_exception_a_log_tells_kind_and_place_and_not_what_it_repeats(logged: Logged) -> None:
    told = logged(failing)
    assert all(part in told for part in ("It failed", "ValueError", "KeyError", "test_logs.py", "in failing"))
    assert PRIVATE not in told


def test_an_exception_among_the_arguments_is_told_by_its_kind(logged: Logged) -> None:
    told = logged(lambda logger: logger.warning("A request failed: %s, %d", ValueError(PRIVATE), 7))
    assert "A request failed: ValueError, 7" in told
    assert PRIVATE not in told


def test_the_toolkits_own_errors_are_told_but_not_the_rows_that_postgres_adds(logged: Logged) -> None:
    error = DatabaseError(f"Postgres refused: check violated\nDETAIL: Failing row contains ({PRIVATE}).", PRIVATE)
    told = logged(lambda logger: logger.error("A request failed: %s", error))
    assert "Postgres refused: check violated" in told
    assert PRIVATE not in told


def test_a_line_stays_one_line_whatever_is_in_it(logged: Logged) -> None:
    told = logged(lambda logger: logger.info("first %s", "second\nthird"))
    assert told.count("\n") == 1
    assert "third" not in told


def test_lines_of_a_request_carry_its_id_and_fields(logged: Logged) -> None:
    token = REQUEST_ID.set("abc.1")
    told = logged(lambda logger: logger.info("request", extra={FIELDS: {"path": "/embed", "status": 200}}))
    REQUEST_ID.reset(token)
    assert all(part in told for part in ("abc.1", "/embed", "200"))
    assert "abc.1" not in logged(lambda logger: logger.info("later")).splitlines()[-1]


def test_json_lines_are_json() -> None:
    record = logging.LogRecord("a.test", logging.INFO, __file__, 1, "said %s", ("it",), None)
    line: dict[str, Any] = json.loads(JsonLines().format(record))
    assert {**line, "time": None} == {"time": None, "level": "info", "logger": "a.test", "message": "said it"}
    assert line["time"].endswith("+00:00")


class Stalled(io.StringIO):
    """A stream that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait()
        return super().write(text)


def test_who_logs_does_not_wait_for_who_reads_and_is_told_what_was_lost() -> None:
    stream = Stalled()
    writer = LogWriter(stream, most_waiting=3)
    writer.setFormatter(JsonLines())
    logger = logging.Logger("a.test")  # noqa: LOG001 - of no hierarchy
    logger.addHandler(writer)
    for number in range(50):
        logger.info("line %d", number)  # would wait for ever
    stream.let_go.set()
    writer.flush()
    logger.info("again")
    writer.flush()
    told = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert told[:3] == ["line 0", "line 1", "line 2"]
    assert re.fullmatch(r"4[67] lines were lost here: the log was not read", told[-2])
    assert told[-1] == "again"
