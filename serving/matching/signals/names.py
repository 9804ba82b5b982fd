"""The names of the signals, and the tiers that they belong to."""

from typing import Literal, get_args

Tier = Literal["metadata", "vectors", "audio", "deep"]
"""What it takes: a song's record, the embedding, audio features; deep is what reads a song once more, the reranker."""

ALL_TIERS: tuple[Tier, ...] = get_args(Tier)

TIERS: dict[Tier, tuple[str, ...]] = {
    "vectors": ("text", "centroid", "nearest"),
    "metadata": ("lexical", "artist", "album", "genre", "language", "era"),
    "audio": ("acoustic",),
    "deep": (),
}
"""The signals of each tier."""

SIGNALS = tuple(name for names in TIERS.values() for name in names)
"""All that a version may match by, in the order in which they are told."""
