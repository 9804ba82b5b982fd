"""Phrases with alternatives: "a [slow|late] train" stands for "a slow train" and "a late train"."""

import re
from collections.abc import Iterable
from itertools import product
from random import Random
from typing import TypeAlias

Phrase: TypeAlias = tuple[str, ...]
"""One phrase in all its wordings; which of them is used is drawn anew each time."""

Pool: TypeAlias = tuple[Phrase, ...]

SPELT_OUT = ("MPB", "r&b")
"""Consonants to the eye, vowels to the ear."""

_ALTERNATIVES = re.compile(r"\[([^\]]*)\]")


def expand(phrase: str) -> Phrase:
    """All wordings of a phrase, in the order in which its alternatives are written."""
    parts = _ALTERNATIVES.split(phrase)
    choices = [part.split("|") if position % 2 else [part] for position, part in enumerate(parts)]
    return tuple("".join(words) for words in product(*choices))


def pool(phrases: Iterable[str]) -> Pool:
    return tuple(expand(phrase) for phrase in phrases)


def draw(rng: Random, phrases: Pool) -> str:
    """First a phrase, then its wording: a phrase with many wordings is no likelier than one with a single wording."""
    return rng.choice(rng.choice(phrases))


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def with_article(adjective: str) -> str:
    """An aching (song), a euphoric (song)."""
    vowel = adjective[0].lower() in "aeiou" or adjective in SPELT_OUT
    return f"{'an' if vowel and not adjective.startswith('eu') else 'a'} {adjective}"
