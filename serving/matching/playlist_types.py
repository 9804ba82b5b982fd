"""What a playlist is for, told from its words and its songs, and how that weighs sound against meaning."""

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from registry.records import Playlist
from registry.versions import SignalWeights

DEFAULT_TYPE = "default"


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


def detect_type(playlist: Playlist, acoustic: Mapping[str, float]) -> str:
    """The type of a playlist: by its name and description, else by the means of its songs' audio features."""
    text = unicodedata.normalize("NFC", " ".join(part for part in (playlist.name, playlist.description) if part))
    found = {name: len(stem.findall(text)) for name, stem in _STEMS.items()}
    best = max(found, key=lambda name: found[name])
    return best if found[best] else _type_by_sound(acoustic)


def _type_by_sound(acoustic: Mapping[str, float]) -> str:
    energy, valence = acoustic.get("energy"), acoustic.get("valence")
    if energy is None or valence is None:
        return DEFAULT_TYPE
    if energy >= 0.8:  # noqa: PLR2004 - the loudest fifth of Spotify's catalogue
        return "energetic"
    if energy <= 0.35:  # noqa: PLR2004 - the quietest fifth
        return "melancholic" if valence <= 0.3 else "chill"  # noqa: PLR2004
    return DEFAULT_TYPE
