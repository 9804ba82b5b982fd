"""What was computed lately is not computed again; a cache keeps no more than it may."""

import numpy as np
import pytest

from serving.inference.cache import Known, VectorCache


def known(number: int) -> Known:
    return Known(np.full(4, number, np.float32), number)


def test_what_was_kept_is_found_by_prompt_and_text() -> None:
    cache = VectorCache(10)
    one, two = known(1), known(2)
    cache.keep("query: ", ["a", "b"], [one, two])
    assert cache.find("query: ", ["b", "c", "a"]) == [two, None, one]
    assert cache.find("", ["a", "query: a"]) == [None, None]
    assert (cache.hits, cache.misses) == (2, 3)


@pytest.mark.parametrize(("prompt", "text"), [("", "ab"), ("ab", ""), ("a\0", "b"), ("a", "\0b")])
def test_where_the_prompt_ends_makes_a_difference(prompt: str, text: str) -> None:
    cache = VectorCache(10)
    cache.keep("a", ["b"], [known(1)])
    assert cache.find(prompt, [text]) == [None]


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = VectorCache(2)
    cache.keep("", ["a", "b"], [known(1), known(2)])
    cache.find("", ["a"])
    cache.keep("", ["c"], [known(3)])
    assert [each is not None for each in cache.find("", ["a", "b", "c"])] == [True, False, True]
