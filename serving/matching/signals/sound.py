"""What audio features say: a song's sound against the playlist's, as its mean alone or as a distribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from registry.records import ACOUSTIC_FEATURES, AudioFeatures, Song
from registry.vectors.records import StoredProfile
from registry.versions import MatchSpec, Scale, SoundScale
from serving.matching.signals.asked import AskedSongs, Matrix

SOUNDS = (*ACOUSTIC_FEATURES, "duration")
"""By which a playlist's distribution is told; the duration is in milliseconds."""

_MEAN_SONGS = 1.0
"""How many songs of the mean sound of all songs every playlist is taken to hold besides its own."""
_SPREAD_SONGS = 5.0
"""How many songs that spread as those of a playlist usually do."""


@dataclass(frozen=True)
class MeanSoundSignal:
    """exp(-d²), d the mean absolute difference of the features that both have, in standard deviations.

    Attributes:
        features: scale of each.
        means: of the playlists' songs, shape (p, f), in standard deviations; NaN where unknown.
    """

    features: Mapping[str, Scale]
    means: Matrix

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], spec: MatchSpec) -> Self:
        """Means of playlists' songs."""
        rows = [scaled_features(each.acoustic, spec.features) for each in profiles]
        return cls(spec.features, np.array(rows, np.float32).reshape(-1, len(ACOUSTIC_FEATURES)))

    def scores(self, asked: AskedSongs) -> Matrix:
        rows = [scaled_features(features_of(song.audio_features), self.features) for song in asked.songs]
        songs = np.array(rows, np.float32).reshape(-1, len(ACOUSTIC_FEATURES))
        total = np.zeros((len(songs), len(self.means)), np.float32)
        count = np.zeros_like(total)
        # Feature by feature: all at once would take as much memory again for each of them.
        for song, playlist in zip(songs.T, self.means.T, strict=True):
            difference = np.abs(song[:, None] - playlist[None, :])
            total += np.nan_to_num(difference)
            count += ~np.isnan(difference)
        return np.where(count > 0, np.exp(-((total / np.maximum(count, 1)) ** 2)), np.nan).astype(np.float32)

    def only(self, row: int) -> Self:
        return type(self)(self.features, self.means[row : row + 1])


@dataclass(frozen=True)
class SoundSignal:
    """Log of how much likelier a song's sound is among the playlist's songs than among all songs.

    Features are taken as normal scores, independent of one another. A playlist's mean and variance are posterior means
    under a few made-up songs of a usual playlist (Gelman et al., "Bayesian data analysis", chapter 3), so that two
    songs do not pass for a narrow taste. What a song does not have says nothing of it.

    Attributes:
        scales: of the features, f.
        means, variances: shape (p, f); NaN for playlists of which no sound is known.
    """

    scales: Mapping[str, SoundScale]
    means: Matrix
    variances: Matrix

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], spec: MatchSpec) -> Self:
        """Distributions of playlists' songs."""
        held = [[member.song for member in each.members] for each in profiles]
        within = np.array([scale.within for scale in spec.sounds.values()], np.float32)
        told = [_distribution(normal_scores(songs, spec.sounds), within) for songs in held]
        shape = (len(told), len(within))
        means, variances = (np.array([each[part] for each in told], np.float32).reshape(shape) for part in (0, 1))
        return cls(spec.sounds, means, variances)

    def scores(self, asked: AskedSongs) -> Matrix:
        songs = normal_scores(asked.songs, self.scales)
        total = np.zeros((len(songs), len(self.means)), np.float32)
        for song, mean, variance in zip(songs.T, self.means.T, self.variances.T, strict=True):
            away = (song[:, None] - mean[None, :]) ** 2 / variance[None, :]
            ratio = (song**2)[:, None] / 2 - away / 2 - np.log(variance)[None, :] / 2
            total += np.where(np.isnan(song)[:, None], np.float32(0), ratio)
        total[np.isnan(songs).all(axis=1)] = np.nan
        return total

    def most_alike(self, song: Song, playlist: int) -> list[str]:
        """The features that speak for the playlist, that which says most first."""
        scores = normal_scores([song], self.scales)[0]
        away = (scores - self.means[playlist]) ** 2 / self.variances[playlist]
        ratio = np.nan_to_num(scores**2 / 2 - away / 2 - np.log(self.variances[playlist]) / 2)
        order = np.argsort(-ratio, kind="stable")
        return [list(self.scales)[each] for each in order if ratio[each] > 0]

    def only(self, row: int) -> Self:
        return type(self)(self.scales, self.means[row : row + 1], self.variances[row : row + 1])


def normal_scores(songs: Sequence[Song], scales: Mapping[str, SoundScale]) -> Matrix:
    """Songs' sounds in normal scores, shape (n, f), in the order of the scales; NaN where unknown."""
    known = [sounds_of(song) for song in songs]
    columns = [
        np.interp([each.get(name, np.nan) for each in known], scale.values, scale.scores)
        if scale.values
        else np.full(len(known), np.nan)
        for name, scale in scales.items()
    ]
    return np.array(columns, np.float32).reshape(len(scales), len(known)).T


def sounds_of(song: Song) -> dict[str, float]:
    """The known ones of what a playlist's distribution is told by."""
    duration = {"duration": float(song.duration_ms)} if song.duration_ms else {}
    return features_of(song.audio_features) | duration


def features_of(features: AudioFeatures) -> dict[str, float]:
    """The known ones of the features that say how a song sounds."""
    known = ((name, getattr(features, name)) for name in ACOUSTIC_FEATURES)
    return {name: float(value) for name, value in known if value is not None}


def scaled_features(features: Mapping[str, float], scales: Mapping[str, Scale]) -> list[float]:
    """Features in standard deviations of the version's catalogue, in the order of `ACOUSTIC_FEATURES`."""
    return [
        (features[name] - scales[name].mean) / scales[name].spread if name in features else np.nan
        for name in ACOUSTIC_FEATURES
    ]


def _distribution(songs: Matrix, within: Matrix) -> tuple[Matrix, Matrix]:
    """Mean and variance of the next song's scores, shape (f,) each, from those of the songs, shape (n, f)."""
    known = ~np.isnan(songs)
    if not known.any():
        return np.full_like(within, np.nan), np.full_like(within, np.nan)
    count, values = known.sum(axis=0), np.where(known, songs, 0.0)
    mean = values.sum(axis=0) / (count + _MEAN_SONGS)
    squares = (np.where(known, songs - mean, 0.0) ** 2).sum(axis=0)
    variance = (squares + _SPREAD_SONGS * within**2) / (count + _SPREAD_SONGS)
    return mean, variance * (1 + 1 / (count + _MEAN_SONGS))
