"""The names of the signals, and the tiers that they belong to."""

from serving.settings import Tier

TIERS: dict[Tier, tuple[str, ...]] = {
    "vectors": ("text", "centroid", "nearest"),
    "metadata": ("lexical", "artist", "album", "genre", "language", "era"),
    "audio": ("acoustic",),
    "deep": (),
}
"""The signals of each tier."""

SIGNALS = tuple(name for names in TIERS.values() for name in names)
"""All that a version may match by, in the order in which they are told."""
