"""How alike rankings are, and interleaving them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.parallel.rankings import overlap, rank_biased_overlap, team_draft

RANKINGS = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=12)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("abcde", "abcde", 1.0),
        ("abcde", "edcba", 1.0),
        ("abcde", "abxyz", 0.4),
        ("abcde", "vwxyz", 0.0),
        ("abcdefg", "abcdexy", 1.0),  # beyond the fifth nothing counts
        ("ab", "abc", 2 / 3),
        ("", "", 1.0),
        ("", "a", 0.0),
    ],
)
def test_overlap(one: str, other: str, share: float) -> None:
    assert overlap(one, other) == pytest.approx(share)


def test_rank_biased_overlap_by_hand() -> None:
    # Agreements 0, 1, 2/3 at depths 1 to 3; p = 0.9.
    expected = 2 / 3 * 0.9**3 + 0.1 / 0.9 * (0 * 0.9 + 1 * 0.81 + 2 / 3 * 0.729)
    assert rank_biased_overlap("abc", "bax") == pytest.approx(expected)


def test_a_difference_at_the_top_weighs_more_than_one_below() -> None:
    assert rank_biased_overlap("xbcde", "abcde") < rank_biased_overlap("abcdx", "abcde")


@given(RANKINGS, RANKINGS)
def test_likeness_is_symmetric_and_a_share(one: list[str], other: list[str]) -> None:
    for measure in (overlap, rank_biased_overlap):
        assert measure(one, other) == pytest.approx(measure(other, one))
        assert -1e-9 <= measure(one, other) <= 1 + 1e-9


@given(RANKINGS)
def test_a_ranking_is_like_itself(one: list[str]) -> None:
    assert overlap(one, one) == 1.0
    assert rank_biased_overlap(one, one) == pytest.approx(1.0)


@given(RANKINGS, RANKINGS, st.integers(1, 12), st.integers())
def test_a_draft_shows_the_best_of_either_once(one: list[str], other: list[str], k: int, seed: int) -> None:
    draft = team_draft(one, other, k, random.Random(seed))
    items = [item for item, _ in draft]
    assert len(items) == len(set(items)) == min(k, len(set(one) | set(other)))
    for by_other, ranking in ((False, one), (True, other)):
        drafted = [item for item, by in draft if by is by_other]
        ranks = [ranking.index(item) for item in drafted]
        assert ranks == sorted(ranks), "each side puts its better items first"
        shown = set(items)
        skipped = [item for item in ranking[: max(ranks, default=-1) + 1] if item not in shown]
        assert skipped == [], "nobody skips an item of theirs that is not there yet"


def test_both_sides_draft_equally_many() -> None:
    draft = team_draft("abcd", "efgh", 8, random.Random(1))
    assert sum(by_other for _, by_other in draft) == 4


def test_either_side_goes_first_equally_often() -> None:
    chance = random.Random(0)
    firsts = [team_draft("ab", "cd", 1, chance)[0][1] for _ in range(2_000)]
    assert 0.45 < sum(firsts) / len(firsts) < 0.55
