"""Between the base model and the fine-tuned one: where the weights lie, and which point is taken."""

import pytest
import torch

from training.development import Measured
from training.interpolation import Point, choose, interpolated


def point(coefficient: float, mean: float, general: float) -> Point:
    measured = Measured({"development": mean}, {"development": 100})
    return Point(coefficient, measured, general, offered=coefficient > 0)


def test_the_ends_are_the_two_models_and_the_middle_is_between() -> None:
    base, tuned = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([2.0, 0.0])}
    for coefficient, expected in ((0.0, [0.0, 4.0]), (0.25, [0.5, 3.0]), (1.0, [2.0, 0.0])):
        torch.testing.assert_close(interpolated(base, tuned, coefficient)["w"], torch.tensor(expected))


def test_what_is_not_of_floating_point_stays_as_it_was_tuned() -> None:
    base, tuned = {"ids": torch.tensor([1, 2])}, {"ids": torch.tensor([5, 6])}
    assert interpolated(base, tuned, 0.5)["ids"].tolist() == [5, 6]


def test_the_best_on_the_development_regimes_is_taken() -> None:
    points = [point(0, 0.3, 0.84), point(0.5, 0.5, 0.84), point(0.75, 0.6, 0.83), point(1, 0.55, 0.83)]
    assert choose(points).coefficient == 0.75


def test_of_equals_the_nearer_to_the_base() -> None:
    assert choose([point(0, 0.3, 0.8), point(0.5, 0.6, 0.8), point(1, 0.6, 0.8)]).coefficient == 0.5


def test_one_that_forgets_is_not_taken_however_good() -> None:
    points = [point(0, 0.3, 0.84), point(0.5, 0.5, 0.83), point(1, 0.9, 0.80)]
    assert choose(points).coefficient == 0.5


def test_if_all_forget_the_one_that_keeps_most() -> None:
    points = [point(0, 0.3, 0.84), point(0.5, 0.5, 0.7), point(1, 0.9, 0.6)]
    assert choose(points).coefficient == 0.5


@pytest.mark.parametrize("base_mean", [0.0, 0.99])
def test_the_base_itself_is_never_the_outcome(base_mean: float) -> None:
    assert choose([point(0, base_mean, 0.84), point(1, 0.5, 0.84)]).coefficient == 1
