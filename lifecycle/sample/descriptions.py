"""A song's description, as an LLM writes one from the lyrics and the sound: three to five sentences."""

from random import Random

from lifecycle.sample.chance import chance
from lifecycle.sample.palette import Facets
from lifecycle.sample.phrases import draw
from lifecycle.sample.words import Words

ENOUGH = (48, 72)
"""How many words a description must have before it may end; it then ends with the sentence that reaches them."""

FEWEST_SENTENCES, MOST_SENTENCES = 3, 5

NOISE = 0.2
"""How many descriptions may hold a sentence that fits another theme, as an LLM's do."""


def describe(rng: Random, words: Words, facets: Facets, stray: Facets, instrumental: bool) -> str:
    """Write about one song.

    Args:
        rng: where the choices come from.
        words: the sentence patterns.
        facets: what there is to say of the song.
        stray: facets of another theme, for the sentence that misses the point.
        instrumental: whether nobody sings; the description says so, or else names the language sung.
    """
    opening = _sentence(rng, words, "instrumental" if instrumental else "story", facets)
    others = [] if instrumental else [_sentence(rng, words, "voice", facets)]
    enough = rng.randint(*ENOUGH)
    for sentence in _optional_sentences(rng, words, facets, stray):
        count = 1 + len(others)
        if count == MOST_SENTENCES or (count >= FEWEST_SENTENCES and _length([opening, *others]) >= enough):
            break
        others.append(sentence)
    rng.shuffle(others)
    others.insert(0 if chance(rng, 0.7) else 1, opening)
    return " ".join(others)


def _optional_sentences(rng: Random, words: Words, facets: Facets, stray: Facets) -> list[str]:
    """Four sentences, of which the last is often dropped; what the song means is one that an analysis keeps."""
    rest = ["image", "sound", "mood"]
    rng.shuffle(rest)
    first = _sentence(rng, words, rest[0], stray if chance(rng, NOISE) else facets)
    return [first, *(_sentence(rng, words, about, facets) for about in ("subject", *rest[1:]))]


def _sentence(rng: Random, words: Words, about: str, facets: Facets) -> str:
    return draw(rng, words.sentences[about]).format_map(facets)


def _length(sentences: list[str]) -> int:
    return sum(len(sentence.split()) for sentence in sentences)
