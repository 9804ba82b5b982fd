"""What the words themselves say: a song's text against the texts of the playlist's songs, word by word.

Vectors blur what they were not trained on; a name, a place or a made-up word is found here. TF-IDF with sublinear
counts and length 1 (Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988), terms hashed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np

from registry.records import Song
from registry.texts import render_playlist, render_song
from registry.vectors.records import StoredProfile
from serving.matching.signals.asked import AskedSongs, Matrix

_TERMS = 2**18
_WORD = re.compile(r"\b\w+\b")


@dataclass(frozen=True)
class LexicalSignal:
    """Cosine of the song's TF-IDF and the mean of the playlist's songs', or, where these are too few, its own text's.

    Attributes:
        template: of the songs' texts.
        counts: of each playlist, the profile and its songs' counts of terms, sparse, shape (songs, terms): kept, so
            that only playlists that have changed are counted again.
        weights: inverse document frequency of each term, shape (terms,).
        means: sparse, shape (terms, p), columns of length 1 or, where nothing is known, of 0.
        known: of which playlists songs are known, shape (p,).
    """

    template: int
    counts: Mapping[str, tuple[StoredProfile, Any]]
    weights: Matrix
    means: Any
    known: Any

    @classmethod
    def build(
        cls,
        profiles: Sequence[StoredProfile],
        template: int,
        before: "LexicalSignal | None" = None,
        *,
        weights: Matrix | None = None,
    ) -> Self:
        """Count the words of playlists' songs; a playlist without songs is taken by its own text.

        Args:
            before: what is known already; profiles that it holds are not counted again.
            weights: those of a library; by default that of these playlists.
        """
        from scipy.sparse import csr_array, diags_array, vstack

        held = before.counts if before is not None and before.template == template else {}
        counts = {each.playlist.playlist_id: (each, _counts_of(each, template, held)) for each in profiles}
        tables = [table for _, table in counts.values()]
        every = vstack([csr_array((0, _TERMS), dtype=np.float32), *tables], format="csr")
        if weights is None:
            frequency = np.bincount(every.indices, minlength=_TERMS)
            weights = np.asarray(np.log((1 + every.shape[0]) / (1 + frequency)) + 1, np.float32)
        owners = np.repeat(np.arange(len(tables)), [table.shape[0] for table in tables])
        grouping = csr_array(
            (np.ones(len(owners), np.float32), (owners, np.arange(len(owners)))), (len(tables), len(owners))
        )
        means = grouping @ _weighted(every, weights)
        lengths = _lengths(means)
        scaled = diags_array(1 / np.where(lengths > 0, lengths, 1)) @ means
        return cls(template, counts, weights, csr_array(scaled.T.tocsr(), dtype=np.float32), lengths > 0)

    def scores(self, asked: AskedSongs) -> Matrix:
        words = _weighted(_count([render_song(song, self.template) for song in asked.songs]), self.weights)
        found = np.asarray((words @ self.means).toarray(), np.float32)
        found[:, ~self.known] = np.nan
        return found

    def shared_words(self, song: Song, playlist: int) -> list[str]:
        """The words of the song that the playlist's songs have too, that which says most first."""
        words = sorted(set(_WORD.findall(render_song(song, self.template).lower())))
        telling = {word: self._said(term := _term(word), playlist) * self.weights[term] for word in words}
        return sorted((word for word in words if telling[word] > 0), key=lambda word: -telling[word])

    def _said(self, term: int, playlist: int) -> float:
        """The weight of a term in a playlist's mean; read from the arrays, as scipy takes a millisecond for it."""
        there = slice(self.means.indptr[term], self.means.indptr[term + 1])
        return float(self.means.data[there][self.means.indices[there] == playlist].sum())

    def only(self, row: int) -> Self:
        place = [row]
        return type(self)(self.template, self.counts, self.weights, self.means[:, place], self.known[place])


def _counts_of(profile: StoredProfile, template: int, held: Mapping[str, tuple[StoredProfile, Any]]) -> Any:  # noqa: ANN401 - scipy's sparse arrays have no types
    known = held.get(profile.playlist.playlist_id)
    if known is not None and known[0] is profile:
        return known[1]
    if profile.song_count == 0:
        return _count([render_playlist(profile.playlist, template)])
    return _count([render_song(member.song, template) for member in profile.members])


def _count(texts: Sequence[str]) -> Any:  # noqa: ANN401
    """1 + log of how often each term occurs in each text, sparse, shape (texts, terms)."""
    from scipy.sparse import csr_array

    if not texts:
        return csr_array((0, _TERMS), dtype=np.float32)
    counted = csr_array(_counter().transform(texts))
    counted.data = np.log(counted.data) + 1
    return counted.astype(np.float32)


def _weighted(counts: Any, weights: Matrix) -> Any:  # noqa: ANN401
    """Rows of length 1, or of 0 where there is no word."""
    weighted = counts.copy()
    weighted.data = counts.data * weights[counts.indices]
    lengths = _lengths(weighted)
    weighted.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(weighted.indptr)).astype(np.float32)
    return weighted


def _lengths(rows: Any) -> Any:  # noqa: ANN401
    places = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.sqrt(np.bincount(places, rows.data.astype(np.float64) ** 2, minlength=rows.shape[0]))


def _term(word: str) -> int:
    """The term that a word alone is counted as, by the hash that the counter takes."""
    from sklearn.utils import murmurhash3_32

    return abs(int(murmurhash3_32(word, seed=0))) % _TERMS


@cache
def _counter() -> Any:  # noqa: ANN401 - scikit-learn has no types
    from sklearn.feature_extraction.text import HashingVectorizer  # takes a second

    return HashingVectorizer(
        n_features=_TERMS,
        ngram_range=(1, 2),
        token_pattern=r"(?u)\b\w+\b",  # noqa: S106 - words, not a password
        alternate_sign=False,
        norm=None,
    )
