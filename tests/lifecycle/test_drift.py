"""The drift of a distribution: none of the same one, more the further it moves, and what chance makes of samples."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.drift import chance_index, stability_index

Counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=28).filter(any)


def test_the_figure_is_that_of_the_formula() -> None:
    # (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5)
    assert stability_index([50, 50], [40, 60]) == pytest.approx(0.0405465, abs=1e-6)


@given(Counts)
def test_the_same_distribution_has_not_moved_whatever_its_size(counts: list[int]) -> None:
    assert stability_index(counts, [3 * each for each in counts]) == pytest.approx(0, abs=1e-9)


@given(st.data())
def test_it_is_the_same_both_ways_and_never_negative_or_infinite(data: st.DataObject) -> None:
    before = data.draw(Counts)
    after = data.draw(st.lists(st.integers(0, 10_000), min_size=len(before), max_size=len(before)).filter(any))
    index = stability_index(before, after)
    assert index is not None
    assert 0 <= index < 20
    assert index == pytest.approx(stability_index(after, before))


def test_it_grows_as_one_category_takes_over() -> None:
    moved = [stability_index([25] * 4, [25 + 3 * step, 25 - step, 25 - step, 25 - step]) for step in range(25)]
    assert all(b > a for a, b in pairwise(moved))  # type: ignore[operator]


def test_nothing_predicted_is_unknown() -> None:
    assert stability_index([0, 0], [1, 2]) is None
    assert stability_index([1, 2], []) is None


def test_samples_of_one_distribution_drift_as_much_as_chance_makes_them() -> None:
    chance = np.random.default_rng(0)
    shares = chance.dirichlet(np.full(28, 5))
    found = [stability_index(*(chance.multinomial(each, shares).tolist() for each in (2000, 3000))) for _ in range(300)]
    assert np.mean(found) == pytest.approx(chance_index(28, 2000, 3000), rel=0.1)  # type: ignore[arg-type]
