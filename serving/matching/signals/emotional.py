"""What a song makes one feel, as the version's emotion model says, against the feelings of the playlist's songs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from registry.vectors.records import StoredProfile
from registry.versions import EmotionScale
from serving.matching.signals.asked import AskedSongs, Matrix

_DOMINANT = 3
"""Emotions that stand out in a song or playlist: so many, at most."""

_LEAST = 1e-4
"""Scores closer to 0 or 1 say no more than this."""

_SHORTEST = 1e-6


@dataclass(frozen=True)
class EmotionSignal:
    """Cosine of the song's emotions and the mean of the playlist's songs', as log-odds in standard deviations.

    Raw scores would not do: some emotions are likelier than others in every text, and would count for all of it.

    Attributes:
        scales: of each emotion.
        means: shape (p, labels), of length 1; NaN for playlists of which no emotions are known.
    """

    scales: Sequence[EmotionScale]
    means: Matrix

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], scales: Sequence[EmotionScale]) -> Self:
        means = np.full((len(profiles), len(scales)), np.nan, np.float32)
        for row, profile in enumerate(profiles):
            known = [member.emotions for member in profile.members if member.emotions is not None]
            told = standardised(np.array(known, np.float32).reshape(len(known), len(scales)), scales)
            told = told[~np.isnan(told).any(axis=1)]
            if len(told):
                means[row] = told.mean(axis=0)
        return cls(scales, _unit(means))

    def scores(self, asked: AskedSongs) -> Matrix:
        if asked.emotions is None or not self.scales:
            return np.full((len(asked.songs), len(self.means)), np.nan, np.float32)
        return np.asarray(_unit(standardised(asked.emotions, self.scales)) @ self.means.T, np.float32)

    def shared(self, asked: AskedSongs, playlist: int) -> list[str]:
        """The emotions that stand out most both in one song and in a playlist, in the song's order."""
        if asked.emotions is None:
            return []
        (song,) = standardised(asked.emotions[:1], self.scales)
        there = _dominant(self.means[playlist])
        return [self.scales[each].label for each in _dominant(song) if each in there]

    def only(self, row: int) -> Self:
        return type(self)(self.scales, self.means[row : row + 1])


def standardised(scores: Matrix, scales: Sequence[EmotionScale]) -> Matrix:
    """Log-odds in standard deviations from what songs usually have; shape (n, labels)."""
    means, spreads = (np.array([getattr(each, name) for each in scales], np.float32) for name in ("mean", "spread"))
    return np.asarray((log_odds(scores) - means) / spreads, np.float32)


def log_odds(scores: Matrix) -> Matrix:
    """Of scores from 0 to 1."""
    within = np.clip(scores, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(within / (1 - within)), np.float32)


def _dominant(emotions: Matrix) -> list[int]:
    """Places of those that are felt more than usual, the most first."""
    order = np.argsort(-np.nan_to_num(emotions), kind="stable")[:_DOMINANT].tolist()
    return [each for each in order if emotions[each] > 0]


def _unit(rows: Matrix) -> Matrix:
    """Rows of length 1; of NaN where there is none, or none that points anywhere."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > _SHORTEST, lengths, np.nan), np.float32)
