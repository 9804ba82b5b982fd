"""Statistics: simulations in which the truth is known, examples by hand, and what must hold of any values."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.statistics import (
    Interval,
    NonInferiority,
    clustered_interval,
    holm,
    non_inferior,
    paired_randomisation,
)

Floats = npt.NDArray[np.float64]

PLAYLIST_HITS = (1.2, 0.8)
"""Beta distribution of how many of a playlist's songs are hits: 0.6 of all, but few in one and most in another."""
TRUE_MEAN = 0.6
QUICK = settings(max_examples=40, deadline=None)


def simulated_hits(groups: int, *, trials: int, seed: int = 0) -> Iterator[tuple[Floats, list[str]]]:
    """Hits and misses of queries, 5 to 15 a playlist, each playlist with a rate of its own."""
    random = np.random.default_rng(seed)
    for _ in range(trials):
        sizes, rates = random.integers(5, 16, groups), random.beta(*PLAYLIST_HITS, groups)
        hits = random.random(sizes.sum()) < np.repeat(rates, sizes)
        yield hits.astype(np.float64), [f"playlist {each}" for each in np.repeat(np.arange(groups), sizes)]


def coverage(intervals: list[Interval]) -> float:
    return float(np.mean([each.low <= TRUE_MEAN <= each.high for each in intervals]))


def naive_interval(values: Floats) -> Interval:
    """Normal, as if the queries were independent."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(values.mean() - half, values.mean() + half)


@pytest.mark.parametrize("groups", [8, 12, 40])
def test_the_interval_holds_the_true_mean_as_often_as_it_says(groups: int) -> None:
    trials = list(simulated_hits(groups, trials=400))
    found = [clustered_interval(values, names, seed=seed, samples=600) for seed, (values, names) in enumerate(trials)]
    assert 0.92 <= coverage(found) <= 0.98
    assert coverage([naive_interval(values) for values, _ in trials]) < 0.75


def test_a_wider_level_is_a_wider_interval() -> None:
    values, names = next(simulated_hits(20, trials=1))
    widths = [
        found.high - found.low
        for level in (0.5, 0.8, 0.95, 0.99)
        if (found := clustered_interval(values, names, seed=0, level=level))
    ]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_a_single_group_says_no_more_than_the_range() -> None:
    assert clustered_interval([0.2, 0.9, 0.4], ["a", "a", "a"], seed=0) == Interval(0.2, 0.9)


def test_no_query_has_an_empty_interval() -> None:
    assert clustered_interval([], [], seed=0) == Interval(0.0, 0.0)


def null_p_values(trials: int, *, by_group: bool) -> Floats:
    """Of two models that do equally well on the whole, and differ by playlist."""
    random = np.random.default_rng(1)
    found = []
    for seed in range(trials):
        group = np.repeat(np.arange(20), random.integers(3, 12, 20))
        difference = random.normal(0, 0.3, 20)[group] + random.normal(0, 0.3, len(group))
        names = [str(each) for each in (group if by_group else np.arange(len(group)))]
        found.append(paired_randomisation(difference, np.zeros(len(group)), names, seed=seed, samples=999))
    return np.array(found)


def test_p_is_uniform_where_nothing_differs_and_not_if_playlists_are_ignored() -> None:
    found = null_p_values(600, by_group=True)
    for share in (0.05, 0.1, 0.25, 0.5, 0.75):
        assert np.mean(found <= share) == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / 600)), share
    assert np.mean(null_p_values(200, by_group=False) <= 0.05) > 0.2


def test_a_real_difference_is_found() -> None:
    random = np.random.default_rng(2)
    names = [f"playlist {number // 8}" for number in range(320)]
    found = []
    for seed in range(50):
        old = random.random(320)
        new = old + 0.1 + random.normal(0, 0.15, 40).repeat(8)
        found.append(paired_randomisation(new, old, names, seed=seed, samples=999))
    assert np.mean(np.array(found) <= 0.05) > 0.9


def test_p_is_that_of_all_assignments() -> None:
    sums = [0.5, 0.25, -0.25, 1.0, 0.75, 0.5]
    names = ["a", "b", "c", "d", "e", "f"]
    every = [
        abs(sum(sign * each for sign, each in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=6)
    ]
    exact = np.mean([each >= sum(sums) for each in every])
    found = paired_randomisation(sums, [0.0] * 6, names, seed=0, samples=40_000)
    assert found == pytest.approx(exact, abs=0.005)


def test_p_is_never_zero_and_one_without_a_difference() -> None:
    names = [str(number) for number in range(100)]
    assert paired_randomisation([1.0] * 100, [0.0] * 100, names, seed=0, samples=99) == pytest.approx(0.01)
    assert paired_randomisation([0.3] * 100, [0.3] * 100, names, seed=0) == 1
    assert paired_randomisation([], [], [], seed=0) == 1


def test_equal_sums_that_were_added_in_another_order_are_equal() -> None:
    """With one group every assignment is as extreme as the observed one, whatever its sum rounds to."""
    values = [0.1, 0.2, 0.3, 0.7, 0.1, 0.6]
    assert paired_randomisation(values, [0.0] * 6, ["a"] * 6, seed=0, samples=500) == 1
    spread = paired_randomisation([*values, 0.0], [0.0] * 7, ["a", "b"] * 3 + ["c"], seed=0, samples=4000)
    assert spread == pytest.approx(0.5, abs=0.04)


def test_holm_by_hand() -> None:
    """0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 raised to what came before it."""
    found = holm({"pop": 0.01, "rock": 0.04, "jazz": 0.03, "folk": 0.005})
    assert list(found) == ["pop", "rock", "jazz", "folk"]
    assert found == pytest.approx({"folk": 0.02, "pop": 0.03, "jazz": 0.06, "rock": 0.06})


def test_holm_of_one_and_of_none() -> None:
    assert holm({"pop": 0.03}) == {"pop": 0.03}
    assert holm({}) == {}


def test_holm_keeps_false_alarms_rare_where_plain_p_does_not() -> None:
    p_values = np.random.default_rng(3).random((2000, 10))
    any_plain = (p_values.min(axis=1) <= 0.05).mean()
    any_holm = np.mean([min(holm(dict(zip("abcdefghij", row, strict=True))).values()) <= 0.05 for row in p_values])
    assert any_plain > 0.35
    assert any_holm == pytest.approx(0.05, abs=0.015)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=12))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p_values: dict[str, float]) -> None:
    adjusted = holm(p_values)
    assert list(adjusted) == list(p_values)
    for name, p_value in p_values.items():
        assert p_value <= adjusted[name] <= min(1, len(p_values) * p_value)
        assert all(adjusted[name] <= adjusted[other] for other in p_values if p_values[other] > p_value)


def test_what_is_equal_is_no_worse_and_what_is_far_below_is_worse() -> None:
    old, names = next(simulated_hits(20, trials=1))
    assert non_inferior(old, old, names, 0.0, seed=0) == NonInferiority(0.0, 0.0, passed=True)
    assert not non_inferior(old - 0.1, old, names, 0.05, seed=0).passed
    assert non_inferior(old - 0.04, old, names, 0.05, seed=0).passed


def test_too_little_to_judge_by_is_not_no_worse() -> None:
    """A loss in one of five playlists could have been in all."""
    names = [str(number // 4) for number in range(20)]
    new = [0.0 if name == "0" else 1.0 for name in names]
    found = non_inferior(new, [1.0] * 20, names, 0.25, seed=0)
    assert found.difference == pytest.approx(-0.2)
    assert found.low < -0.25
    assert not found.passed
    assert non_inferior([], [], [], 0.1, seed=0) == NonInferiority(0.0, 0.0, passed=False)


def test_what_is_exactly_at_the_margin_is_called_worse_at_the_rate_promised() -> None:
    """The loss equals the margin, so at 95 % about one in twenty may pass."""
    random = np.random.default_rng(4)
    names = [str(number // 10) for number in range(300)]
    passed = []
    for seed in range(400):
        new = -0.05 + random.normal(0, 0.1, 30).repeat(10) + random.normal(0, 0.2, 300)
        passed.append(non_inferior(new, np.zeros(300), names, 0.05, seed=seed).passed)
    assert np.mean(passed) == pytest.approx(0.05, abs=0.035)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[list[float], list[float], list[str]]:
    size = draw(st.integers(1, 40))
    value = st.floats(-10, 10).map(lambda each: round(each, 3))
    new, old = (draw(st.lists(value, min_size=size, max_size=size)) for _ in range(2))
    return new, old, draw(st.lists(st.sampled_from("abcdef"), min_size=size, max_size=size))


@QUICK
@given(grouped(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_queries_changes_nothing(
    queries: tuple[list[float], list[float], list[str]], seed: int, chance: "np.random.Generator"
) -> None:
    shuffled = list(zip(*queries, strict=True))
    chance.shuffle(shuffled)
    new, old, names = (list(each) for each in zip(*shuffled, strict=True))
    first, second = clustered_interval(queries[0], queries[2], seed=seed), clustered_interval(new, names, seed=seed)
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-9)
    p_value = paired_randomisation(*queries, seed=seed, samples=500)
    assert p_value == paired_randomisation(new, old, names, seed=seed, samples=500)


@QUICK
@given(grouped(), st.integers(0, 5))
def test_one_seed_gives_one_answer_and_swapping_gives_the_mirrored_one(
    queries: tuple[list[float], list[float], list[str]], seed: int
) -> None:
    new, old, names = queries
    p_value = paired_randomisation(new, old, names, seed=seed, samples=500)
    assert p_value == paired_randomisation(new, old, names, seed=seed, samples=500)
    assert p_value == paired_randomisation(old, new, names, seed=seed, samples=500)
    assert 1 / 501 <= p_value <= 1


@QUICK
@given(grouped(), st.integers(0, 5), st.floats(-5, 5))
def test_the_interval_stays_in_the_range_and_moves_with_the_values(
    queries: tuple[list[float], list[float], list[str]], seed: int, by: float
) -> None:
    values, _, names = queries
    found = clustered_interval(values, names, seed=seed)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    moved = clustered_interval([each + by for each in values], names, seed=seed)
    assert (moved.low - by, moved.high - by) == pytest.approx((found.low, found.high), abs=1e-9)


def test_what_does_not_pair_up_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values have 1 groups"):
        clustered_interval([0.1, 0.2], ["a"], seed=0)
    with pytest.raises(ValueError, match="2 new values, 1 old ones"):
        paired_randomisation([0.1, 0.2], [0.1], ["a", "b"], seed=0)
    with pytest.raises(ValueError, match="1 groups"):
        non_inferior([0.1, 0.2], [0.1, 0.3], ["a"], 0.1, seed=0)
