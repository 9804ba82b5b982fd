"""Statistics that hold however often one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.parallel.sequential import mean_bounds, share_bounds, share_p_value

LOOKS = 400


def test_a_share_as_expected_is_hardly_ever_contradicted_whatever_the_looks() -> None:
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(LOOKS):
        found = np.cumsum(random.random(500) < 0.3)
        wrong += any(share_p_value(int(found[n]), n + 1, 0.3) < 0.05 for n in range(0, 500, 5))
    assert wrong / LOOKS <= 0.05


def test_a_wrong_share_is_found() -> None:
    assert share_p_value(350, 500, 0.5) < 1e-6
    assert share_p_value(150, 500, 0.5) < 1e-6


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (5, 10), (50, 100)])
def test_what_fits_is_not_contradicted(successes: int, trials: int) -> None:
    assert share_p_value(successes, trials, 0.5) == 1.0


def test_the_impossible_is_contradicted() -> None:
    assert share_p_value(1, 10, 0.0) == 0.0
    assert share_p_value(9, 10, 1.0) == 0.0
    assert share_p_value(0, 10, 0.0) == 1.0


def test_the_p_value_by_hand() -> None:
    # Three of three under a uniform prior: e = (1/4) / (1/8).
    assert share_p_value(3, 3, 0.5) == pytest.approx(0.5)


@given(st.integers(0, 300), st.integers(0, 300))
def test_bounds_hold_what_was_found_and_agree_with_the_test(successes: int, failures: int) -> None:
    trials = successes + failures
    bounds = share_bounds(successes, trials)
    found = successes / trials if trials else 0.5
    assert 0 <= bounds.low <= found <= bounds.high <= 1
    if bounds.low > 1e-6:
        assert share_p_value(successes, trials, bounds.low - 1e-7) <= 0.05 + 1e-3
        assert share_p_value(successes, trials, bounds.low + 1e-7) >= 0.05 - 1e-3


def test_bounds_of_shares_hold_at_all_looks() -> None:
    random = np.random.default_rng(1)
    missed = 0
    for _ in range(LOOKS):
        found = np.cumsum(random.random(300) < 0.02)
        looks = [share_bounds(int(found[n]), n + 1) for n in range(9, 300, 10)]
        missed += any(not each.low <= 0.02 <= each.high for each in looks)
    assert missed / LOOKS <= 0.05


def test_bounds_of_means_hold_at_all_looks_from_a_few_dozen_on() -> None:
    random = np.random.default_rng(2)
    missed = 0
    for _ in range(LOOKS):
        values = random.normal(0.7, 2.0, 1_000)
        looks = [mean_bounds(n, values[:n].mean(), values[:n].var(ddof=1)) for n in range(50, 1_001, 25)]
        missed += any(not each.low <= 0.7 <= each.high for each in looks)
    assert missed / LOOKS <= 0.05


def test_bounds_of_means_narrow_down() -> None:
    widths = [each.high - each.low for each in (mean_bounds(n, 0.0, 1.0) for n in (20, 200, 2_000, 200_000))]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.03


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_is_known_of_a_mean_of_one(n: int) -> None:
    assert mean_bounds(n, 3.0, 0.0).low == -math.inf
