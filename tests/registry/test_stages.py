"""The table of moves against the life of a version as the design tells it."""

import itertools

import pytest

from registry.errors import IllegalMove
from registry.stages import GIVEN_UP, MOVES, SERVABLE, Stage, check_move

LEGAL = {
    ("registered", "embedding"),
    ("embedding", "ready"),
    ("ready", "live"),
    ("live", "retained"),
    ("retained", "live"),
    ("retained", "retired"),
    ("registered", "rejected"),
    ("embedding", "rejected"),
    ("ready", "rejected"),
}


@pytest.mark.parametrize(("present", "target"), list(itertools.product(Stage, Stage)))
def test_only_the_moves_of_a_versions_life_are_legal(present: Stage, target: Stage) -> None:
    if (present.value, target.value) in LEGAL:
        check_move("v3", present, target)
        return
    with pytest.raises(IllegalMove) as refused:
        check_move("v3", present, target)
    assert f"v3 is {present.value} and cannot become {target.value}" in refused.value.fact


@pytest.mark.parametrize("present", list(Stage))
def test_a_refusal_names_every_move_that_is_left(present: Stage) -> None:
    with pytest.raises(IllegalMove) as refused:
        check_move("v3", present, present)
    left = {target for origin, target in LEGAL if origin == present.value}
    assert all(stage in refused.value.remedy for stage in left)
    assert left or "final" in refused.value.remedy


def test_every_stage_has_its_moves_and_can_be_reached_from_the_first() -> None:
    assert set(MOVES) == set(Stage)
    reached = {Stage.REGISTERED}
    while further := {target for stage in reached for target in MOVES[stage]} - reached:
        reached |= further
    assert reached == set(Stage)


def test_nothing_comes_back_once_it_is_given_up() -> None:
    assert {stage for stage in Stage if not MOVES[stage]} == GIVEN_UP
    assert not GIVEN_UP & SERVABLE


def test_only_a_version_whose_vectors_are_kept_up_can_become_live() -> None:
    assert {stage for stage in Stage if Stage.LIVE in MOVES[stage]} <= SERVABLE
