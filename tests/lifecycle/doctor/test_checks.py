"""What is good, what is bad, and that one check never spoils another."""

import time

import pytest

from lifecycle.doctor.checks import (
    Check,
    State,
    bad,
    examine,
    good,
    is_well,
    judge_clock,
    judge_disk,
    judge_pgvector,
    judge_pooler,
    judge_postgres,
    unused,
)
from registry.errors import DatabaseUnavailable


@pytest.mark.parametrize(("free", "state"), [(4 * 2**30, State.BAD), (6 * 2**30, State.GOOD)])
def test_disk(free: int, state: State) -> None:
    assert judge_disk("/data", free).state is state


@pytest.mark.parametrize(("number", "state"), [(140010, State.BAD), (150000, State.GOOD), (180004, State.GOOD)])
def test_postgres(number: int, state: State) -> None:
    assert judge_postgres(number).state is state
    assert judge_postgres(180004).fact == "PostgreSQL 18.4"


@pytest.mark.parametrize(
    ("version", "state"),
    [(None, State.BAD), ("0.7.4", State.BAD), ("0.8.0", State.GOOD), ("0.10.1", State.GOOD), ("1.0", State.GOOD)],
)
def test_pgvector(version: str | None, state: State) -> None:
    found = judge_pgvector(version)
    assert found.state is state
    assert bool(found.remedy) is (state is State.BAD)


def test_a_pooler_is_seen_by_its_port() -> None:
    assert judge_pooler(6543, 5432).state is State.GOOD
    assert "6543" in judge_pooler(6543, 5432).fact
    assert judge_pooler(5432, 5432).state is State.UNUSED
    assert judge_pooler(None, 5432).state is State.UNUSED


@pytest.mark.parametrize(("apart", "state"), [(0.1, State.GOOD), (-6.0, State.BAD), (6.0, State.BAD)])
def test_clock(apart: float, state: State) -> None:
    assert judge_clock(apart).state is state


def test_what_goes_wrong_while_looking_is_what_is_found_and_tells_no_secret() -> None:
    def refuse() -> Check:
        raise DatabaseUnavailable("It is away.", "Start it.")

    def break_down() -> Check:
        raise RuntimeError("postgresql://user:secret@host/db")

    def hang() -> Check:
        time.sleep(60)
        return good("late", "never")

    refused = examine("database", refuse, seconds=5)
    assert (refused.state, refused.fact, refused.remedy) == (State.BAD, "It is away.", "Start it.")
    broken = examine("database", break_down, seconds=5)
    assert broken.state is State.BAD
    assert "secret" not in str(broken)
    assert "RuntimeError" in broken.fact
    assert "within 0.1 s" in examine("late", hang, seconds=0.1).fact


def test_only_what_is_bad_makes_the_whole_bad() -> None:
    fine = [good("a", "is"), unused("b", "is not")]
    assert is_well(fine)
    assert not is_well([*fine, bad("c", "is", "do")])
