"""What a playlist is for, told from its words and its songs, and how that weighs sound against meaning."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from registry.records import Playlist
from registry.versions import SignalWeights

DEFAULT_TYPE = "default"

_IN_NAME, _IN_DESCRIPTION = 2.0, 1.0
"""What a word is worth as a sign of a type."""
_BY_SOUND = 0.6
"""How likely a type is that nothing but the sound tells."""


class _Type(NamedTuple):
    semantic: float
    words: str


# In order: the first type with the most words found wins. Word stems, several languages.
_TYPES: dict[str, _Type] = {
    "workout": _Type(0.3, r"workout|gym\b|run(?:ning|s)?\b|training\b|fitness|cardio|lifting|sports?\b|entren|muscu"),
    "chill": _Type(0.6, r"chill|relax|calm|lounge|lo[-\s]?fi\b|unwind|mellow|ruhig|entspann|détente|ambient|sleep"),
    "emotional": _Type(0.8, r"emotion|feelings?\b|feels\b|tears|cathar|cry(?:ing)?\b|heart-?felt|gefühl|émotion|emoci"),
    "party": _Type(
        0.4, r"part(?:y|ies)\b|clubs?\b|dance ?floor|fiesta|fête|feier(?!abend|lich|tag)|raves?\b|festival|disco\b"
    ),
    "focus": _Type(0.4, r"focus|study|concentrat|(?:for|at|deep) work\b|coding|lernen|estudi|konzentr|homework"),
    "nostalgic": _Type(
        0.7,
        r"nostalg|throwback|memor|old ?school|classics?\b|retro|oldies|childhood|recuerd|souvenir"
        r"|(?:19)?[5-9]0['\u2019]?s\b",
    ),
    "romantic": _Type(0.7, r"romant|loved?\b|lovers?\b|date night|kiss|wedding|amor\b|amour|liebe|valentine"),
    "energetic": _Type(
        0.3, r"energ|power\b|hype|pump(?:ed|ing|s)?\b|adrenalin|boost|upbeat|hard-?style|metal\b|punk\b"
    ),
    "melancholic": _Type(
        0.8, r"m[eé]lan[ck]h?[oó]l|sad(?:ness)?\b|rainy\b|lonely|heartbreak|triste|traurig|sorrow|grief|mourn"
    ),
}
_STEMS = {name: re.compile(rf"(?<![^\W_])(?:{each.words})", re.IGNORECASE) for name, each in _TYPES.items()}

HEURISTIC_WEIGHTS: dict[str, SignalWeights] = {
    **{
        name: SignalWeights(semantic=each.semantic, acoustic=round(1 - each.semantic, 2))
        for name, each in _TYPES.items()
    },
    DEFAULT_TYPE: SignalWeights(semantic=0.5, acoustic=0.5),
}
"""Share of meaning and of sound by playlist type; every version starts with these."""


@dataclass(frozen=True)
class PlaylistType:
    """What a playlist is for.

    Attributes:
        name: the likeliest type.
        shares: of the types that it may be of, how likely each is; they add up to 1.
    """

    name: str
    shares: Mapping[str, float]

    @property
    def confidence(self) -> float:
        """How likely the likeliest type is."""
        return self.shares[self.name]

    def blended(self, weights: Mapping[str, SignalWeights]) -> float:
        """The weight of meaning, each type counting by its share; one without weights counts as the default."""
        known = (weights.get(name, weights[DEFAULT_TYPE]).semantic * share for name, share in self.shares.items())
        return sum(known)


def detect_type(playlist: Playlist, acoustic: Mapping[str, float]) -> PlaylistType:
    """The type of a playlist: by its name and description, and by the means of its songs' audio features.

    A word in the name says more than one in the description. Words of several types make each of them likely; the sound
    is asked only where there is no such word.
    """
    found = dict.fromkeys(_STEMS, 0.0)
    for text, worth in ((playlist.name, _IN_NAME), (playlist.description, _IN_DESCRIPTION)):
        told = unicodedata.normalize("NFC", text or "")
        for name, stem in _STEMS.items():
            found[name] += worth * len(stem.findall(told))
    if not any(found.values()):
        by_sound = _type_by_sound(acoustic)
        found = {by_sound: _BY_SOUND, DEFAULT_TYPE: 1 - _BY_SOUND} if by_sound != DEFAULT_TYPE else {DEFAULT_TYPE: 1.0}
    total = sum(found.values())
    shares = {name: worth / total for name, worth in found.items() if worth}
    return PlaylistType(max(shares, key=lambda name: shares[name]), shares)


def _type_by_sound(acoustic: Mapping[str, float]) -> str:
    energy, valence = acoustic.get("energy"), acoustic.get("valence")
    if energy is None or valence is None:
        return DEFAULT_TYPE
    if energy >= 0.8:  # noqa: PLR2004 - the loudest fifth of Spotify's catalogue
        return "energetic"
    if energy <= 0.35:  # noqa: PLR2004 - the quietest fifth
        return "melancholic" if valence <= 0.3 else "chill"  # noqa: PLR2004
    return DEFAULT_TYPE
