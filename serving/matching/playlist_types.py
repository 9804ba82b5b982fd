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
    """Signs of a type: how words begin in languages that part words, and what is found anywhere in those that do not.

    The first are English, then German, Dutch and Swedish, French, Spanish, Portuguese and Italian; the others Chinese,
    Japanese and Korean.
    """

    semantic: float
    words: str
    anywhere: str


# In order: the first type with the most words found wins.
_TYPES: dict[str, _Type] = {
    "workout": _Type(
        0.3,
        r"workout|gym\b|run(?:ning|s)?\b|train(?:ing|en|ieren)\b|fitness|cardio|lifting|sport(?:s|en)?\b"
        r"|laufen\b|hardlopen|trän(?:ing|a)\b|löpning|muscu|entren|correr\b|treino|corrida\b|allenament|palestra",
        "運動|运动|健身|跑步|筋トレ|ランニング|운동|헬스|러닝",
    ),
    "chill": _Type(
        0.6,
        r"chill|relax|calm|lounge|lo[-\s]?fi\b|unwind|mellow|ambient|sleep|ruhig|entspann|schlaf|ontspann|slapen\b"
        r"|lugn|sömn|détente|sommeil|dormir|rilass",
        "放松|放鬆|睡眠|助眠|リラックス|癒し|おやすみ|힐링|휴식|수면",
    ),
    "emotional": _Type(
        0.8,
        r"emotion|feelings?\b|feels\b|tears|cathar|cry(?:ing)?\b|heart-?felt|gefühl|emotie|känslor|émotion|emoci|emoç|emozion",
        "感動|感动|感人|泣ける|감성|감동",
    ),
    "party": _Type(
        0.4,
        r"part(?:y|ies)\b|clubs?\b|dance ?floor|raves?\b|festival|disco\b|feier(?!abend|lich|tag)|feest|fest\b|fête"
        r"|soirée|fiesta|festas?\b",
        "派对|派對|パーティ|파티",
    ),
    "focus": _Type(
        0.4,
        r"focus|study|concentra|(?:for|at|deep) work\b|coding|homework|lernen|konzentr|studer|huiswerk|koncentra|plugg"
        r"|étudier|révis(?:er|ions)\b|estud|foco\b|studiare",
        "勉強|読書|集中|作業|学习|學習|读书|讀書|专注|專注|공부|독서|집중",
    ),
    "nostalgic": _Type(
        0.7,
        r"nostalg|throwback|memor|old ?school|classics?\b|retro|oldies|childhood|(?:19)?[5-9]0['\u2019]?s\b"
        r"|erinnerung|herinnering|minnen\b|souvenir|recuerd|saudade|lembran|ricord",
        "怀旧|懷舊|经典|經典|懐かし|懐メロ|추억",
    ),
    "romantic": _Type(
        0.7,
        r"rom[aâ]nt|loved?\b|lovers?\b|date night|kiss|wedding|valentine|liebe|liefde|kärlek|amour|amore?\b",
        "浪漫|情歌|爱情|愛情|恋愛|ラブソング|사랑",
    ),
    "energetic": _Type(
        0.3,
        r"energ|power\b|hype|pump(?:ed|ing|s)?\b|adrenalin|boost|upbeat|hard-?style|metal\b|punk\b|énerg",
        "劲爆|元気|盛り上が|신나는|에너지",
    ),
    "melancholic": _Type(
        0.8,
        r"m[eé]lan[ck]h?[oó]l|sad(?:ness)?\b|rainy\b|lonely|heartbreak|sorrow|grief|mourn|traurig|verdriet|ledsen|sorglig"
        r"|trist(?:[ei]|\b)|malincon",
        "悲伤|悲傷|伤感|傷感|失恋|失戀|悲し|슬픈|이별",
    ),
}
_STEMS = {
    name: re.compile(rf"(?<![^\W_])(?:{each.words})|{each.anywhere}", re.IGNORECASE) for name, each in _TYPES.items()
}

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
