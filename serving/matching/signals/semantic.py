"""What vectors say: a song's against the playlist's text, the mean of its songs, and those of them most like it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from registry.records import Song
from registry.vectors.records import StoredProfile
from serving.matching.signals.asked import AskedSongs, Matrix

NEAREST = 3
"""Songs of a playlist that a song is compared with: those most like it."""

_GATHERED = 4_000_000
"""Similarities that are looked at together."""


@dataclass(frozen=True)
class TextSignal:
    """Cosine of the song's vector and that of the playlist's text; `texts` has shape (p, d)."""

    texts: Matrix

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], dimensions: int) -> Self:
        return cls(np.array([each.embedding for each in profiles], np.float32).reshape(-1, dimensions))

    def scores(self, asked: AskedSongs) -> Matrix:
        return np.asarray(asked.vectors @ self.texts.T, np.float32)

    def only(self, row: int) -> Self:
        return type(self)(self.texts[row : row + 1])


@dataclass(frozen=True)
class CentroidSignal:
    """Cosine of the song's vector and the mean of the playlist's songs'; `centroids` has shape (p, d), NaN: none."""

    centroids: Matrix

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], dimensions: int) -> Self:
        """Centroids of playlists that have one."""
        nothing = np.full(dimensions, np.nan, np.float32)
        rows = [nothing if each.centroid is None else each.centroid for each in profiles]
        return cls(np.array(rows, np.float32).reshape(-1, dimensions))

    def scores(self, asked: AskedSongs) -> Matrix:
        return np.asarray(asked.vectors @ self.centroids.T, np.float32)

    def only(self, row: int) -> Self:
        return type(self)(self.centroids[row : row + 1])


@dataclass(frozen=True)
class NearestSignal:
    """Mean cosine of the song's vector and those of the three songs of the playlist that are most like it.

    A song that the playlist holds is not compared with itself.

    Attributes:
        songs: of all playlists, m.
        vectors: theirs, shape (m, d).
        places: rows of each playlist's songs, shape (p, most songs of one), -1 where there are no more.
    """

    songs: tuple[Song, ...]
    vectors: Matrix
    places: npt.NDArray[np.intp]

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], dimensions: int) -> Self:
        """The playlists' songs that have vectors."""
        held = [
            [(member.song, member.vector) for member in each.members if member.vector is not None] for each in profiles
        ]
        places = np.full((len(held), max(map(len, held), default=0)), -1, np.intp)
        start = 0
        for row, members in enumerate(held):
            places[row, : len(members)] = np.arange(start, start + len(members))
            start += len(members)
        every = [member for members in held for member in members]
        vectors = np.array([vector for _, vector in every], np.float32).reshape(-1, dimensions)
        return cls(tuple(song for song, _ in every), vectors, places)

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        """Where each song stands, by its id: once for every playlist that holds it."""
        rows: dict[str, list[int]] = {}
        for row, song in enumerate(self.songs):
            rows.setdefault(song.song_id, []).append(row)
        return rows

    def scores(self, asked: AskedSongs) -> Matrix:
        found = np.full((len(asked.songs), len(self.places)), np.nan, np.float32)
        if not self.songs:
            return found
        at_once = max(1, _GATHERED // self.places.size)
        for start in range(0, len(asked.songs), at_once):
            rows = slice(start, start + at_once)
            found[rows] = _mean_of_highest(self._gathered(AskedSongs(asked.songs[rows], asked.vectors[rows])))
        return found

    def nearest(self, asked: AskedSongs, playlist: int) -> list[list[tuple[Song, float]]]:
        """For each song the nearest of one playlist, at most three, the nearest first, each with its cosine."""
        places = self.places[playlist][self.places[playlist] >= 0]
        held = [self.songs[place] for place in places]
        cosines = asked.vectors @ self.vectors[places].T
        found = []
        for song, row in zip(asked.songs, cosines, strict=True):
            order = np.argsort(-row, kind="stable")[: NEAREST + 1].tolist()  # one of them may be the song itself
            others = [(held[each], float(row[each])) for each in order if held[each].song_id != song.song_id]
            found.append(others[:NEAREST])
        return found

    def only(self, row: int) -> Self:
        kept = self.places[row][self.places[row] >= 0]
        return type(self)(tuple(self.songs[each] for each in kept), self.vectors[kept], np.arange(len(kept))[None, :])

    def _gathered(self, asked: AskedSongs) -> Matrix:
        """Cosines with the songs of each playlist, shape (n, p, most songs of one); -inf where there is none."""
        cosines = asked.vectors @ self.vectors.T
        for number, song in enumerate(asked.songs):
            cosines[number, self._rows.get(song.song_id, [])] = -np.inf
        return np.where(self.places >= 0, cosines[:, self.places], np.float32(-np.inf))


def _mean_of_highest(cosines: Matrix) -> Matrix:
    """Over the last axis; NaN where none is finite."""
    wanted = min(NEAREST, cosines.shape[-1])
    highest = np.partition(cosines, cosines.shape[-1] - wanted, axis=-1)[..., -wanted:]
    there = np.isfinite(highest)
    count = there.sum(axis=-1)
    total = np.where(there, highest, np.float32(0)).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
