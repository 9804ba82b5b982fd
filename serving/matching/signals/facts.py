"""What a song's facts say: its artists, album, genre, language and year against those of the playlist's songs."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from registry.records import Song
from registry.vectors.records import StoredProfile
from serving.matching.signals.asked import AskedSongs, Matrix

_USUAL_SONGS = 3.0
"""How many songs that are like all songs every playlist is taken to hold besides its own."""

_YEARS = range(1900, 2101)
YEARS_APART = 3.0
"""Standard deviation of the years that a song of a year speaks for."""
_LEAST_LIKELY = 1e-4

_ARTIST_SEPARATORS = re.compile(r",|;|&|\s(?:feat|ft|featuring|x|vs)\b\.?", re.IGNORECASE)


def artists_of(song: Song) -> list[str]:
    """The artists of a song, folded; a band whose name holds an ampersand is two, here as everywhere."""
    return list(
        dict.fromkeys(filter(None, (part.strip().casefold() for part in _ARTIST_SEPARATORS.split(song.artist or ""))))
    )


def _field(name: str) -> Callable[[Song], list[str]]:
    def values(song: Song) -> list[str]:
        value = getattr(song, name)
        return [value.casefold()] if value else []

    return values


FACTS: dict[str, Callable[[Song], list[str]]] = {
    "artist": artists_of,
    **{name: _field(name) for name in ("album", "genre", "language")},
}
"""What a song has of each kind of fact."""


@dataclass(frozen=True)
class FactSignal:
    """Log of how much more often the playlist's songs have what the song has than all playlists' songs do.

    Rates are Dirichlet posterior means, so that one song of an artist does not make a rule. Of several values (artists)
    the one that speaks most for the playlist counts.

    Attributes:
        kind: one of `FACTS`.
        holders: of each value: the rows of the playlists that have it, and how many of their songs do.
        totals: songs of each playlist that have any value, shape (p,).
        everywhere: of each value, the share of all playlists' songs that have it.
    """

    kind: str
    holders: Mapping[str, tuple[Sequence[int], Sequence[int]]]
    totals: Matrix
    everywhere: Mapping[str, float]

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], kind: str) -> Self:
        holders: dict[str, tuple[list[int], list[int]]] = {}
        totals = np.zeros(len(profiles), np.float32)
        for row, profile in enumerate(profiles):
            told = [FACTS[kind](member.song) for member in profile.members]
            totals[row] = sum(map(bool, told))
            for value, count in Counter(value for values in told for value in values).items():
                rows, counts = holders.setdefault(value, ([], []))
                rows.append(row)
                counts.append(count)
        every = float(totals.sum())
        everywhere = {value: (sum(counts) + 1) / (every + len(holders) + 1) for value, (_, counts) in holders.items()}
        return cls(kind, holders, totals, everywhere)

    def scores(self, asked: AskedSongs) -> Matrix:
        found = np.full((len(asked.songs), len(self.totals)), np.nan, np.float32)
        absent = np.log(_USUAL_SONGS / (self.totals + _USUAL_SONGS))
        absent[self.totals == 0] = np.nan
        for number, song in enumerate(asked.songs):
            values = FACTS[self.kind](song)
            if not values:
                continue
            found[number] = absent
            for value in values:
                if value in self.holders:
                    self._raise(found[number], value)
        return found

    def _raise(self, row: Matrix, value: str) -> None:
        """Let a value speak for the playlists that have it, where it says more than what was said before."""
        places, counts = (np.asarray(each) for each in self.holders[value])
        rate = self.everywhere[value]
        ratio = (counts + _USUAL_SONGS * rate) / (self.totals[places] + _USUAL_SONGS) / rate
        row[places] = np.maximum(row[places], np.log(ratio))

    def most_telling(self, song: Song, playlist: int) -> tuple[str, int]:
        """The value that speaks most for a playlist, as the song has it, and how many of its songs share it; or 0."""
        shared = [
            (counts[rows.index(playlist)] / self.everywhere[value], value, counts[rows.index(playlist)])
            for value in FACTS[self.kind](song)
            for rows, counts in [self.holders.get(value, ((), ()))]
            if playlist in rows
        ]
        if not shared:
            return "", 0
        _, value, count = max(shared)
        told = str(getattr(song, self.kind))
        start = told.casefold().find(value)
        return (told[start : start + len(value)] if start >= 0 else value), count

    def only(self, row: int) -> Self:
        kept = {
            value: ([0], [counts[rows.index(row)]]) for value, (rows, counts) in self.holders.items() if row in rows
        }
        return type(self)(self.kind, kept, self.totals[row : row + 1], self.everywhere)


@dataclass(frozen=True)
class EraSignal:
    """Log of how much likelier the song's year is among the playlist's songs than among all playlists' songs.

    As with other facts every playlist is taken to hold a few usual songs besides, so that two songs do not rule out all
    other years.

    Attributes:
        ratios: by year and playlist, shape (years, p); NaN for playlists of which no year is known.
    """

    ratios: Matrix

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile]) -> Self:
        years = [[year for member in each.members if (year := year_of(member.song)) is not None] for each in profiles]
        everywhere = _likely([year for each in years for year in each])
        mixed = [(_likely(each) * len(each) + everywhere * _USUAL_SONGS) / (len(each) + _USUAL_SONGS) for each in years]
        likely = np.array(mixed, np.float32).reshape(-1, len(_YEARS))
        ratios = np.log(np.maximum(likely, _LEAST_LIKELY)) - np.log(np.maximum(everywhere, _LEAST_LIKELY))
        ratios[[not each for each in years]] = np.nan
        return cls(np.ascontiguousarray(ratios.T, np.float32))

    def scores(self, asked: AskedSongs) -> Matrix:
        found = np.full((len(asked.songs), self.ratios.shape[1]), np.nan, np.float32)
        for number, song in enumerate(asked.songs):
            if (year := year_of(song)) is not None:
                found[number] = self.ratios[year - _YEARS[0]]
        return found

    def only(self, row: int) -> Self:
        return type(self)(self.ratios[:, row : row + 1])


def year_of(song: Song) -> int | None:
    """The year in which a song came out, within those that are told apart; None if it is not known."""
    if song.release_date is None:
        return None
    return min(max(int(song.release_date[:4]), _YEARS[0]), _YEARS[-1])


def _likely(years: Sequence[int]) -> Matrix:
    """A density over the years, each song's spread over those around it."""
    counts = (
        np.bincount(np.asarray(years, np.intp) - _YEARS[0], minlength=len(_YEARS)) if years else np.zeros(len(_YEARS))
    )
    reach = math.ceil(4 * YEARS_APART)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * YEARS_APART**2))
    return np.asarray(np.convolve(counts, kernel / kernel.sum(), mode="same") / max(1, len(years)), np.float32)
