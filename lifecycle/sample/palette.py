"""What a particular song's description draws on: mostly its curator's words, some borrowed, some anybody's."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from lifecycle.sample.phrases import Pool, capitalised, draw, with_article
from lifecycle.sample.themes import Theme, Vocabulary
from lifecycle.sample.words import Words

OWN = 0.72
"""Share of a song's facets that come from its own theme; of the rest, more are a neighbour's than anybody's."""

BORROWED = 0.18

Facets: TypeAlias = dict[str, str]
"""What sentence patterns are filled with, by the names used in `words.toml`."""


@dataclass(frozen=True)
class Palette:
    """The theme a song belongs to and the one it leans towards."""

    theme: Theme
    lean: Theme

    def facets(self, rng: Random, words: Words, genre: str, language: str) -> Facets:
        """Draw everything that may be said of one song. Each facet is drawn by itself, so no two songs say the same."""
        act = self._draw(rng, words, lambda vocabulary: vocabulary.acts)
        images = self._several(rng, words, 3, lambda vocabulary: vocabulary.images)
        sounds = self._several(rng, words, 2, lambda vocabulary: vocabulary.sounds)
        moods = self._several(rng, words, 2, lambda vocabulary: vocabulary.moods)
        facets = {
            "genre": genre,
            "language": words.languages[language],
            "act": act,
            "story": f"{draw(rng, words.who)} {act}",
            "subject": self._draw(rng, words, lambda vocabulary: vocabulary.subjects),
            "place": self._draw(rng, words, lambda vocabulary: vocabulary.places),
            "voice": draw(rng, words.voices),
            "voice_trait": draw(rng, words.voice_traits),
        }
        facets |= _numbered("image", images) | _numbered("sound", sounds) | _numbered("mood", moods)
        facets |= {f"a_{name}": with_article(facets[name]) for name in ("genre", "mood", "voice_trait")}
        return with_capitals(facets)

    def _draw(self, rng: Random, words: Words, facet: Callable[[Vocabulary], Pool]) -> str:
        luck = rng.random()
        if luck < OWN:
            return draw(rng, facet(self.theme.vocabulary))
        if luck < OWN + BORROWED:
            return draw(rng, facet(self.lean.vocabulary))
        return draw(rng, facet(words.common))

    def _several(self, rng: Random, words: Words, count: int, facet: Callable[[Vocabulary], Pool]) -> list[str]:
        drawn: list[str] = []
        while len(drawn) < count:
            text = self._draw(rng, words, facet)
            if text not in drawn:
                drawn.append(text)
        return drawn


def with_capitals(facets: Facets) -> Facets:
    """Each facet also in the form that begins a sentence: "image" and "Image"."""
    return facets | {capitalised(name): capitalised(text) for name, text in facets.items()}


def _numbered(name: str, texts: list[str]) -> Facets:
    """The texts as facets called image, image2, image3 and so on."""
    return {f"{name}{number}" if number > 1 else name: text for number, text in enumerate(texts, 1)}
