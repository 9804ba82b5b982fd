"""Words that belong to no theme: sentence patterns, voices, and the parts of names and titles (`words.toml`)."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lifecycle.sample.phrases import Pool, pool
from lifecycle.sample.themes import Vocabulary, vocabulary


@dataclass(frozen=True)
class TitleParts:
    """Parts of a song title in one language; English has no nouns of its own, as those come from the theme."""

    patterns: tuple[str, ...]
    nouns: tuple[str, ...]
    leads: tuple[str, ...]
    tails: tuple[str, ...]


@dataclass(frozen=True)
class ArtistParts:
    """Parts of artists' names; first names and the endings of surnames go by language."""

    band_first: tuple[str, ...]
    band_last: tuple[str, ...]
    stem: tuple[str, ...]
    first: dict[str, tuple[str, ...]]
    ending: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Words:
    """`sentences` by what they speak of; `versions` are patterns of titles by the kind of recording."""

    sentences: dict[str, Pool]
    common: Vocabulary
    who: Pool
    voices: Pool
    voice_traits: Pool
    artists: ArtistParts
    titles: dict[str, TitleParts]
    languages: dict[str, str]
    versions: dict[str, tuple[str, ...]]
    owners: tuple[str, ...]
    sequels: tuple[str, ...]
    asides: tuple[str, ...]


@lru_cache(maxsize=1)
def words() -> Words:
    text = (files("lifecycle.sample") / "words.toml").read_text("utf-8")
    return _words(tomllib.loads(text))


def _words(table: dict[str, Any]) -> Words:
    return Words(
        sentences={subject: pool(patterns) for subject, patterns in table["sentences"].items()},
        common=vocabulary(table["common"]),
        who=pool(table["people"]["who"]),
        voices=pool(table["voices"]["who"]),
        voice_traits=pool(table["voices"]["trait"]),
        artists=_artist_parts(table["artists"]),
        titles={language: _title_parts(parts) for language, parts in table["titles"].items()},
        languages=dict(table["languages"]),
        versions=_tuples(table["versions"]),
        owners=tuple(table["playlists"]["owners"]),
        sequels=tuple(table["playlists"]["sequels"]),
        asides=tuple(table["playlists"]["asides"]),
    )


def _artist_parts(table: dict[str, Any]) -> ArtistParts:
    return ArtistParts(
        band_first=tuple(table["band_first"]),
        band_last=tuple(table["band_last"]),
        stem=tuple(table["stem"]),
        first=_tuples(table["first"]),
        ending=_tuples(table["ending"]),
    )


def _title_parts(table: dict[str, list[str]]) -> TitleParts:
    return TitleParts(
        patterns=tuple(table["patterns"]),
        nouns=tuple(table.get("nouns", ())),
        leads=tuple(table.get("leads", ())),
        tails=tuple(table["tails"]),
    )


def _tuples(table: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}
