"""Texts that wait are taken once each, the oldest first, with others of their length, and no batch is too large."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.inference.waiting import Batch, Job, Matrix, Tokens, WaitingTexts


class Model:
    """Gives each text its number of tokens."""

    def __init__(self, batch_tokens: int = 100) -> None:
        self.batch_tokens = batch_tokens

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        return np.array([[len(each)] for each in tokens], np.float32)


def job(model: Model, *lengths: int) -> Job:
    return Job(model, [[1] * length for length in lengths], 0.0)


def waiting(*jobs: Job) -> WaitingTexts:
    texts = WaitingTexts()
    for each in jobs:
        texts.add(each)
    return texts


def drained(texts: WaitingTexts, shares: int = 1) -> list[Batch]:
    batches = []
    while (batch := texts.take(shares)) is not None:
        batches.append(batch)
    return batches


def lengths_of(batch: Batch) -> list[int]:
    return [len(each) for each in batch.tokens]


@given(st.lists(st.lists(st.integers(1, 150), min_size=1, max_size=12), max_size=12), st.integers(1, 4))
def test_each_text_is_taken_once_in_batches_that_are_no_larger_than_they_may_be(
    requests: list[list[int]], shares: int
) -> None:
    model = Model()
    jobs = [job(model, *lengths) for lengths in requests]
    texts = waiting(*jobs)
    assert texts.tokens == sum(map(sum, requests))
    batches = drained(texts, shares)
    taken = [(id(each), row) for batch in batches for each, row in batch.texts]
    assert sorted(taken) == sorted((id(each), row) for each in jobs for row in range(len(each.tokens)))
    for batch in batches:
        assert len(batch.texts) == 1 or max(lengths_of(batch)) * len(batch.texts) <= model.batch_tokens
    assert (len(texts), texts.tokens) == (0, 0)


@given(st.lists(st.integers(1, 150), min_size=1, max_size=40), st.integers(1, 4))
def test_whoever_has_waited_longest_goes_first(lengths: list[int], shares: int) -> None:
    model = Model()
    jobs = [job(model, length) for length in lengths]
    texts = waiting(*jobs)
    left = list(jobs)
    while (batch := texts.take(shares)) is not None:
        taken = {id(each) for each, _ in batch.texts}
        assert id(left[0]) in taken
        left = [each for each in left if id(each) not in taken]


def test_texts_of_one_length_go_together() -> None:
    model = Model(batch_tokens=40)
    batch = waiting(job(model, 10, 30, 11, 31, 9, 30, 10)).take(1)
    assert batch is not None
    assert sorted(lengths_of(batch)) == [9, 10, 10]


def test_takers_that_are_free_together_share_what_waits() -> None:
    model = Model(batch_tokens=1_000)
    texts = waiting(*(job(model, 10) for _ in range(8)))
    first, second = texts.take(2), texts.take(1)
    assert first is not None
    assert second is not None
    assert (len(first.texts), len(second.texts)) == (4, 4)


def test_one_batch_is_for_one_model_and_the_others_keep_their_place() -> None:
    one, other = Model(), Model()
    first, second, third = job(one, 5), job(other, 5), job(one, 5)
    batches = drained(waiting(first, second, third))
    assert [[each for each, _ in batch.texts] for batch in batches] == [[first, third], [second]]
    assert [batch.model for batch in batches] == [one, other]


def test_what_the_client_gave_up_is_let_go() -> None:
    model = Model()
    gone, kept = job(model, 7, 7), job(model, 5)
    texts = waiting(gone, kept)
    assert gone.done.cancel()
    assert [[each for each, _ in batch.texts] for batch in drained(texts)] == [[kept]]
    assert texts.tokens == 0
    assert waiting(gone).take(1) is None


def test_what_was_given_up_takes_no_room() -> None:
    model = Model()
    gone, kept = job(model, 7, 7), job(model, 5)
    texts = waiting(gone, kept)
    assert gone.done.cancel()
    texts.forget_given_up()
    assert (len(texts), texts.tokens) == (1, 5)


def test_a_text_longer_than_a_batch_may_be_goes_alone() -> None:
    batches = drained(waiting(job(Model(batch_tokens=10), 50, 3, 50)))
    assert sorted(map(lengths_of, batches)) == [[3], [50], [50]]
