"""Whose answer would have served the user better."""

from typing import Any

import pytest

from lifecycle.parallel.agreement import Duels, by_interleaving, by_rank


def said(verdict: str, playlist: str, **answers: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"live_list": [], "candidate_list": [], "shown": None, "shown_by_candidate": None}
    return {"verdict": verdict, "playlist_id": playlist, **nothing, **answers}


@pytest.mark.parametrize(
    ("verdict", "live", "candidate", "duels"),
    [
        ("accept", "abc", "bac", Duels(lost=1)),
        ("accept", "bac", "abc", Duels(won=1)),
        ("accept", "abc", "axy", Duels(undecided=1)),
        ("accept", "xyz", "bca", Duels(won=1)),  # a list without it has it last
        ("accept", "xyz", "uvw", Duels(undecided=1)),
        ("move", "bac", "abc", Duels(won=1)),  # moved to "a"
        ("reject", "abc", "bac", Duels(won=1)),
        ("reject", "xyz", "xya", Duels(lost=1)),
    ],
)
def test_by_rank(verdict: str, live: str, candidate: str, duels: Duels) -> None:
    assert by_rank([said(verdict, "a", live_list=list(live), candidate_list=list(candidate))]) == duels


@pytest.mark.parametrize(
    ("verdict", "playlist", "duels"),
    [
        ("accept", "a", Duels(lost=1)),
        ("accept", "b", Duels(won=1)),
        ("move", "b", Duels(won=1)),
        ("accept", "z", Duels(undecided=1)),
        ("reject", "b", Duels()),
    ],
)
def test_by_interleaving(verdict: str, playlist: str, duels: Duels) -> None:
    feedback = [said(verdict, playlist, shown=["a", "b"], shown_by_candidate=[False, True])]
    assert by_interleaving(feedback) == duels


def test_answers_that_were_not_interleaved_say_nothing_of_interleaving() -> None:
    assert by_interleaving([said("accept", "a", live_list=["a"])]) == Duels()
