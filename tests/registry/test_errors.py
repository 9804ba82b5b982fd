"""The tree that is drawn at the top of the module is the tree that is there."""

import inspect
import re

import pytest

from registry import errors
from registry.errors import AutosortError


def test_the_drawn_tree_is_the_class_tree() -> None:
    assert _drawn() == {
        kind.__name__: kind.__mro__[1].__name__
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception)
    }


@pytest.mark.parametrize(
    ("fact", "remedy", "message"),
    [("It is so.", "Do this.", "It is so. Do this."), ("It is so.", "", "It is so.")],
)
def test_an_error_reads_fact_then_remedy_and_keeps_both_apart(fact: str, remedy: str, message: str) -> None:
    error = AutosortError(fact, remedy)
    assert (str(error), error.fact, error.remedy) == (message, fact, remedy)


def _drawn() -> dict[str, str]:
    """Each class of the drawing with the one above it."""
    lines = re.findall(r"^ {4}([│├└─ ]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    parents: dict[str, str] = {}
    above: list[str] = ["Exception"]
    for branches, name in lines:
        depth = len(branches) // 4 + 1
        parents[name] = above[depth - 1]
        above[depth:] = [name]
    return parents
