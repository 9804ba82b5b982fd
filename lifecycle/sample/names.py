"""What songs and their artists are called. All of it is invented; surnames are made of syllables."""

from random import Random

from lifecycle.sample.chance import chance
from lifecycle.sample.palette import Palette
from lifecycle.sample.words import ArtistParts, Words

FAVOURITE = 0.6
"""How often a title is about what its theme is about; else it could be anybody's."""

HOME_CROWD = 20
"""An act list grows quickly up to this size, then slowly: playlists come back to the artists they know."""


def title(rng: Random, words: Words, palette: Palette, language: str) -> str:
    """A title in the language sung; instrumentals have English titles."""
    parts = words.titles[language]
    pattern = rng.choice(parts.patterns)
    if pattern == "{noun}":
        pattern = rng.choice(parts.patterns)  # one-word titles collide, so they are drawn twice
    return pattern.format(
        noun=rng.choice(parts.nouns or _english_nouns(rng, palette)),
        lead=rng.choice(parts.leads) if parts.leads else "",
        tail=rng.choice(parts.tails),
    )


def _english_nouns(rng: Random, palette: Palette) -> tuple[str, ...]:
    return palette.theme.titles if chance(rng, FAVOURITE) else palette.lean.titles


class Artists:
    """The artists met so far, by theme and language, so that they come back as artists do."""

    def __init__(self, rng: Random, words: Words) -> None:
        self._rng = rng
        self._parts = words.artists
        self._rosters: dict[tuple[str, str], list[str]] = {}

    def pick(self, palette: Palette, language: str) -> str:
        """An artist who sings in this language: usually of the song's theme, sometimes of the one it leans to."""
        home = palette.theme if chance(self._rng, 0.7) else palette.lean
        roster = self._rosters.setdefault((home.key, language), [])
        if not roster or chance(self._rng, 0.45 if len(roster) < HOME_CROWD else 0.08):
            roster.append(artist(self._rng, self._parts, language))
            return roster[-1]
        return self._rng.choice(roster)


def artist(rng: Random, parts: ArtistParts, language: str) -> str:
    """A singer, a band, a singer with a band, or a singer with two surnames."""
    singer = f"{rng.choice(parts.first[language])} {_surname(rng, parts, language)}"
    band = rng.choice(parts.band_last)
    forms = {
        singer: 50,
        f"{rng.choice(parts.band_first)} {band}": 25,
        f"{singer} & the {band}": 12,
        f"{singer}-{_surname(rng, parts, language)}": 13,
    }
    return rng.choices(list(forms), list(forms.values()))[0]


def _surname(rng: Random, parts: ArtistParts, language: str) -> str:
    return rng.choice(parts.stem) + rng.choice(parts.ending[language])
