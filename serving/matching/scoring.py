"""Which playlists a song belongs in: pure functions of vectors, audio features and a version's weights.

Three signals, each brought to a common scale by the version's own statistics:

- text: cosine of the song's vector and the playlist's text vector;
- centroid: cosine of the song's vector and the mean of its songs' vectors;
- acoustic: exp(-d²), d the mean absolute difference of audio features in standard deviations; 1 for equal ones.

A playlist's type weighs meaning (text and centroid) against sound. Where a signal is missing, the others take its
weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from registry.records import ACOUSTIC_FEATURES, AudioFeatures, Playlist, Song
from registry.vectors.records import StoredProfile
from registry.versions import MatchSpec, Scale
from serving.matching.playlist_types import DEFAULT_TYPE, detect_type

Matrix = npt.NDArray[np.float32]

SIGNALS = ("text", "centroid", "acoustic")
MINIMUM_SONGS = 3
"""A playlist with fewer songs is known by its description alone."""

_INSTRUMENTAL = 0.5
_LEAN = 0.2


@dataclass(frozen=True)
class PlaylistIndex:
    """The playlists of one version as arrays; row i of each belongs to `playlists[i]`.

    Attributes:
        texts: shape (p, d), unit vectors.
        centroids: shape (p, d); rows of NaN where a playlist is known by its description alone.
        acoustics: shape (p, f), in standard deviations; NaN where unknown.
        semantic_share: shape (p,), the weight of meaning by the playlist's type; the rest is sound's.
    """

    playlists: tuple[Playlist, ...]
    types: tuple[str, ...]
    texts: Matrix
    centroids: Matrix
    acoustics: Matrix
    semantic_share: Matrix

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each playlist, by its id."""
        return {playlist.playlist_id: row for row, playlist in enumerate(self.playlists)}

    @classmethod
    def build(cls, profiles: Sequence[StoredProfile], spec: MatchSpec, dimensions: int) -> "PlaylistIndex":
        """Arrays of playlists' profiles, of any number of them, scaled as the version says."""
        playlists = tuple(each.playlist for each in profiles)
        nothing = np.full(dimensions, np.nan, np.float32)
        known = [each.song_count >= MINIMUM_SONGS for each in profiles]
        centroids = [
            each.centroid if enough and each.centroid is not None else nothing
            for each, enough in zip(profiles, known, strict=True)
        ]
        acoustics = [
            scaled_features(each.acoustic if enough else {}, spec) for each, enough in zip(profiles, known, strict=True)
        ]
        types = tuple(detect_type(each.playlist, each.acoustic) for each in profiles)
        shares = [spec.weights.get(each, spec.weights[DEFAULT_TYPE]).semantic for each in types]
        return cls(
            playlists=playlists,
            types=types,
            texts=np.array([each.embedding for each in profiles], np.float32).reshape(-1, dimensions),
            centroids=np.array(centroids, np.float32).reshape(-1, dimensions),
            acoustics=np.array(acoustics, np.float32).reshape(-1, len(ACOUSTIC_FEATURES)),
            semantic_share=np.array(shares, np.float32),
        )


@dataclass(frozen=True)
class MatchScores:
    """Scores of songs against playlists; all of shape (n, p). The signals' shares add up to the score."""

    score: Matrix
    shares: Mapping[str, Matrix]


def match_songs(
    vectors: Matrix, songs: Sequence[Song], index: PlaylistIndex, spec: MatchSpec, *, only: str | None = None
) -> MatchScores:
    """Score songs against every playlist of a version.

    Args:
        vectors: the songs' vectors, shape (n, d).
        songs: n songs, for their audio features.
        only: use this signal alone, where it is there (to measure what it is worth).
    """
    signals = raw_signals(vectors, song_acoustics(songs, spec), index)
    weights = _weights(songs, index)
    if only is not None:
        weights = {name: np.full_like(weight, float(name == only)) for name, weight in weights.items()}
    shares = _shares(signals, weights, spec)
    return MatchScores(score=_sum(shares), shares=shares)


def raw_signals(vectors: Matrix, acoustics: Matrix, index: PlaylistIndex) -> dict[str, Matrix]:
    """The signals before they are brought to scale, each of shape (n, p); NaN where a signal is missing."""
    return {
        "text": vectors @ index.texts.T,
        "centroid": vectors @ index.centroids.T,
        "acoustic": _acoustic_similarity(acoustics, index.acoustics),
    }


def song_acoustics(songs: Sequence[Song], spec: MatchSpec) -> Matrix:
    """Songs' audio features in standard deviations, shape (n, f); NaN where unknown."""
    rows = [scaled_features(features_of(song.audio_features), spec) for song in songs]
    return np.array(rows, np.float32).reshape(-1, len(ACOUSTIC_FEATURES))


def features_of(features: AudioFeatures) -> dict[str, float]:
    """The known ones of the features that say how a song sounds."""
    known = ((name, getattr(features, name)) for name in ACOUSTIC_FEATURES)
    return {name: float(value) for name, value in known if value is not None}


def scaled_features(features: Mapping[str, float], spec: MatchSpec) -> list[float]:
    """Features in standard deviations of the version's catalogue, in the order of `ACOUSTIC_FEATURES`."""
    return [
        (features[name] - spec.features[name].mean) / spec.features[name].spread if name in features else np.nan
        for name in ACOUSTIC_FEATURES
    ]


def _acoustic_similarity(songs: Matrix, playlists: Matrix) -> Matrix:
    """Gaussian similarity over the features that both have; shape (n, p), NaN where there are none."""
    total = np.zeros((len(songs), len(playlists)), np.float32)
    count = np.zeros_like(total)
    # Feature by feature: all at once would take as much memory again for each of them.
    for song, playlist in zip(songs.T, playlists.T, strict=True):
        difference = np.abs(song[:, None] - playlist[None, :])
        total += np.nan_to_num(difference)
        count += ~np.isnan(difference)
    return np.where(count > 0, np.exp(-((total / np.maximum(count, 1)) ** 2)), np.nan).astype(np.float32)


def _weights(songs: Sequence[Song], index: PlaylistIndex) -> dict[str, Matrix]:
    semantic = np.tile(index.semantic_share, (len(songs), 1))
    leans = np.array([_LEAN if leans_on_sound(song) else 0.0 for song in songs], np.float32)
    semantic = np.maximum(semantic - leans[:, None], 0.0)
    return {"text": semantic / 2, "centroid": semantic / 2, "acoustic": 1 - semantic}


def leans_on_sound(song: Song) -> bool:
    """Whether a song has little to say in words: an instrumental, or one known by its title alone."""
    instrumentalness = song.audio_features.instrumentalness
    if instrumentalness is not None and instrumentalness >= _INSTRUMENTAL:
        return True
    return not (song.description or song.artist or song.album)


def _shares(signals: Mapping[str, Matrix], weights: Mapping[str, Matrix], spec: MatchSpec) -> dict[str, Matrix]:
    """What each signal adds to the score: its scaled value times its weight among the signals that are there."""
    missing = {name: np.isnan(signals[name]) for name in SIGNALS}
    present = {name: np.where(missing[name], np.float32(0), weights[name]) for name in SIGNALS}
    total = np.maximum(_sum(present), 1e-9)
    return {
        name: np.where(missing[name], np.float32(0), _scaled(signals[name], spec.signals[name]) * present[name] / total)
        for name in SIGNALS
    }


def _sum(matrices: Mapping[str, Matrix]) -> Matrix:
    return np.asarray(np.sum(list(matrices.values()), axis=0), dtype=np.float32)


def _scaled(signal: Matrix, scale: Scale) -> Matrix:
    return (signal - scale.mean) / scale.spread
