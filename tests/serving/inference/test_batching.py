"""Texts of like length share a batch; none is lost, none comes twice, no batch is larger than it may be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.inference.batching import batches_by_tokens

LENGTHS = st.lists(st.integers(0, 600), max_size=80)
BUDGETS = st.integers(1, 3_000)


def padded(lengths: list[int], batch: list[int]) -> int:
    """Tokens that a batch has with its padding; an empty text is padded to one."""
    return len(batch) * max(1, *(lengths[row] for row in batch))


@given(LENGTHS, BUDGETS)
def test_every_row_is_in_one_batch(lengths: list[int], budget: int) -> None:
    batches = batches_by_tokens(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(batches)


@given(LENGTHS, BUDGETS)
def test_no_batch_is_larger_than_it_may_be_unless_a_row_is_by_itself(lengths: list[int], budget: int) -> None:
    for batch in batches_by_tokens(lengths, budget):
        assert padded(lengths, batch) <= budget or len(batch) == 1


@given(LENGTHS, BUDGETS)
def test_the_longest_come_first(lengths: list[int], budget: int) -> None:
    order = [lengths[row] for batch in batches_by_tokens(lengths, budget) for row in batch]
    assert order == sorted(lengths, reverse=True)


@given(LENGTHS, BUDGETS)
def test_no_batch_could_have_taken_the_next_row_too(lengths: list[int], budget: int) -> None:
    batches = batches_by_tokens(lengths, budget)
    for batch, after in pairwise(batches):
        assert padded(lengths, [*batch, after[0]]) > budget


@pytest.mark.parametrize(
    ("lengths", "budget", "batches"),
    [
        ([], 100, []),
        ([5], 100, [[0]]),
        ([500], 100, [[0]]),
        ([10, 50, 20, 50], 100, [[1, 3], [2, 0]]),
        ([1, 1, 1, 1, 1], 2, [[0, 1], [2, 3], [4]]),
        ([200, 10, 10], 20, [[0], [1, 2]]),
        ([0, 0, 0], 2, [[0, 1], [2]]),
    ],
)
def test_what_shares_a_batch(lengths: list[int], budget: int, batches: list[list[int]]) -> None:
    assert batches_by_tokens(lengths, budget) == batches
