"""The names of the signals, and the tiers that they belong to."""

from registry.versions import EMOTION
from serving.settings import Tier

TIERS: dict[Tier, tuple[str, ...]] = {
    "vectors": ("text", "centroid", "nearest"),
    "metadata": ("lexical", "artist", "album", "genre", "language", "era"),
    "audio": ("acoustic",),
    "deep": (EMOTION,),
}
"""The signals of each tier."""

SIGNALS = tuple(name for names in TIERS.values() for name in names)
"""All that a version may match by, in the order in which they are told."""

PAYING_SIGNALS = tuple(name for name in SIGNALS if name not in {"album", EMOTION})
"""Those that a version matches by unless others are named: the others were measured, and added nothing."""
