"""The curators' tastes: what a playlist calls itself, and the words and sounds that its songs have in common.

They are data (`tastes/*.toml`, one theme a table). A theme's playlists speak of occasions, its songs' descriptions of
subjects, images and instruments: which songs belong is to be learnt, not read off.
"""

import tomllib
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from itertools import zip_longest
from math import ceil
from random import Random
from typing import Any

from lifecycle.sample.phrases import Phrase, Pool, pool


@dataclass(frozen=True)
class Vocabulary:
    """What a song description may draw on; one facet a field."""

    acts: Pool
    subjects: Pool
    images: Pool
    sounds: Pool
    moods: Pool
    places: Pool


@dataclass(frozen=True)
class Theme:
    """One curator's taste.

    A playlist is described by one of `descriptions` (when it is for) and the `picks` (what goes in, as its owner would
    say it). `audio` gives mean and spread by feature, `instrumental` the share of songs without vocals, `languages`
    the weight of each language sung, `neighbours` the keys of the themes whose words its songs borrow.
    """

    key: str
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    picks: tuple[str, ...]
    genre: str
    subgenre: str | None
    owner: str
    song_genres: tuple[str, ...]
    languages: dict[str, int]
    neighbours: tuple[str, ...]
    vocabulary: Vocabulary
    titles: tuple[str, ...]
    audio: dict[str, tuple[float, float]]
    instrumental: float
    speechiness: float


def vocabulary(table: dict[str, Any]) -> Vocabulary:
    """The vocabulary in a TOML table, its phrases expanded."""
    return Vocabulary(*(pool(table[facet]) for facet in ("acts", "subjects", "images", "sounds", "moods", "places")))


def narrowed(theme: Theme, rng: Random, share: float = 0.6) -> Theme:
    """The same taste in another person's edition, who cares for a part of it only."""

    def some(phrases: Pool) -> tuple[Phrase, ...]:
        return tuple(rng.sample(phrases, ceil(len(phrases) * share)))

    whole = theme.vocabulary
    return replace(theme, vocabulary=Vocabulary(*(some(getattr(whole, field.name)) for field in fields(whole))))


@lru_cache(maxsize=1)
def themes() -> tuple[Theme, ...]:
    """All themes; neighbours in this order differ as much as they can, so a small library is varied, too."""
    folder = files("lifecycle.sample") / "tastes"
    texts = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".toml"))
    families = [[_theme(key, table) for key, table in tomllib.loads(text).items()] for _, text in texts]
    return tuple(theme for row in zip_longest(*families) for theme in row if theme is not None)


def _theme(key: str, table: dict[str, Any]) -> Theme:
    return Theme(
        key=key,
        names=tuple(table["names"]),
        descriptions=tuple(table["descriptions"]),
        picks=tuple(table["picks"]),
        genre=table["genre"],
        subgenre=table.get("subgenre"),
        owner=table["owner"],
        song_genres=tuple(table["song_genres"]),
        languages=dict(table["languages"]),
        neighbours=tuple(table["neighbours"]),
        vocabulary=vocabulary(table),
        titles=tuple(table["titles"]),
        audio={feature: (mean, spread) for feature, (mean, spread) in table["audio"].items()},
        instrumental=table["instrumental"],
        speechiness=table.get("speechiness", 0.05),
    )
