"""Which playlists a song belongs in: pure functions of what is known of both and of a version's weights.

Each signal is brought to a common scale by the version's own statistics: 0 is what a song and a playlist that it is not
in usually have, 1 a standard deviation above. Weights are the version's learned ones or, where it has none, heuristics:
a playlist's type then weighs meaning (all but the sound) against sound, and where a signal is missing, the others take
its weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from registry.records import Song
from registry.versions import EMOTION, LearnedWeights, MatchSpec, Scale
from serving.matching.index import PlaylistIndex
from serving.matching.playlist_types import DEFAULT_TYPE
from serving.matching.signals.asked import AskedSongs, Matrix

SOUND = "acoustic"
BY_TEXT = "by_text"
"""The share by which playlists that are known by their text alone are ahead of the others, to begin with."""

MEANING_PARTS = {
    "text": 1.0,
    "centroid": 1.0,
    "nearest": 1.0,
    "lexical": 1.0,
    "artist": 0.5,
    "album": 0.5,
    "genre": 0.5,
    "language": 0.5,
    "era": 0.5,
    EMOTION: 0.25,
}
"""How the heuristics divide the weight of meaning among the signals that a version has."""

_WORDS_OF_TEXT = 0.25
"""Of its weight, what the comparison word by word keeps where a playlist is known by its text alone: a few words."""

_FARTHEST = 8.0
"""Standard deviations beyond which a signal says no more."""

_SLIGHT = 1e-3
_INSTRUMENTAL = 0.5
_LEAN = 0.2


@dataclass(frozen=True)
class MatchScores:
    """Scores of songs against playlists; all of shape (n, p). The signals' shares add up to the score."""

    score: Matrix
    shares: Mapping[str, Matrix]

    def shares_of(self, song: int, playlist: int) -> dict[str, float]:
        """What each signal adds to one of the scores."""
        return {name: float(share[song, playlist]) for name, share in self.shares.items()}


def match_songs(
    vectors: Matrix, songs: Sequence[Song], index: PlaylistIndex, spec: MatchSpec, emotions: Matrix | None = None
) -> MatchScores:
    """Score songs against every playlist of a version.

    Args:
        vectors: the songs' vectors, shape (n, d).
        songs: n songs.
        emotions: the songs' scores, shape (n, labels), if they are known.
    """
    return combined(scaled_signals(AskedSongs(songs, vectors, emotions), index, spec), songs, index, spec)


def combined(scaled: Mapping[str, Matrix], songs: Sequence[Song], index: PlaylistIndex, spec: MatchSpec) -> MatchScores:
    """The scores that signals come to; of those that are not given nothing is known.

    Args:
        scaled: as `scaled_signals` gives them for these songs and this index.
    """
    if spec.learned is not None:
        shares = _learned_shares(scaled, index, spec, spec.learned)
    else:
        shares = _heuristic_shares(scaled, heuristic_weights(songs, index))
    return MatchScores(score=_sum(shares, (len(songs), len(index.profiles))), shares=shares)


def scaled_signals(asked: AskedSongs, index: PlaylistIndex, spec: MatchSpec) -> dict[str, Matrix]:
    """The signals on their common scale, each of shape (n, p), within 8 standard deviations; NaN where missing."""
    return {name: _scaled(each, spec.signals[name]) for name, each in index.raw(asked).items()}


def heuristic_weights(songs: Sequence[Song], index: PlaylistIndex) -> dict[str, Matrix]:
    """The weight of each signal by the playlists' types, shape (n, p); a song without words leans on sound."""
    semantic = np.tile(index.semantic_share, (len(songs), 1))
    leans = np.array([_LEAN if leans_on_sound(song) else 0.0 for song in songs], np.float32)
    semantic = np.maximum(semantic - leans[:, None], 0.0)
    parts = {name: MEANING_PARTS[name] for name in index.signals if name in MEANING_PARTS}
    total = sum(parts.values())
    meaning = {name: (semantic * np.float32(part / total)).astype(np.float32) for name, part in parts.items()}
    if "lexical" in meaning:
        meaning["lexical"] = meaning["lexical"] * np.where(index.by_text, np.float32(_WORDS_OF_TEXT), np.float32(1))
    return meaning | ({SOUND: 1 - semantic} if SOUND in index.signals else {})


def leans_on_sound(song: Song) -> bool:
    """Whether a song has little to say in words: an instrumental, or one known by its title alone."""
    instrumentalness = song.audio_features.instrumentalness
    if instrumentalness is not None and instrumentalness >= _INSTRUMENTAL:
        return True
    return not (song.description or song.artist or song.album)


def type_factors(index: PlaylistIndex, spec: MatchSpec, influence: float) -> dict[str, Matrix]:
    """By how much a playlist's type raises or lowers the weights of meaning and of sound, shape (p,) each."""
    default = spec.weights[DEFAULT_TYPE].semantic
    meaning = np.power(index.semantic_share / np.float32(max(default, _SLIGHT)), np.float32(influence))
    sound = np.power((1 - index.semantic_share) / np.float32(max(1 - default, _SLIGHT)), np.float32(influence))
    return {name: sound if name == SOUND else meaning for name in index.signals}


def _heuristic_shares(scaled: Mapping[str, Matrix], weights: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """What each signal adds to the score: its value times its weight among the signals that are there."""
    present = {name: np.where(np.isnan(each), np.float32(0), weights[name]) for name, each in scaled.items()}
    total = np.maximum(np.sum(list(present.values()), axis=0), 1e-9) if present else np.float32(1)
    return {name: np.nan_to_num(each) * present[name] / total for name, each in scaled.items()}


def _learned_shares(
    scaled: Mapping[str, Matrix], index: PlaylistIndex, spec: MatchSpec, learned: LearnedWeights
) -> dict[str, Matrix]:
    """What each signal adds to the score, in logits; one that is missing adds nothing, for nor against."""
    factors = type_factors(index, spec, learned.type_influence)
    shares = {}
    for name, each in scaled.items():
        known, by_text = (np.float32(weights.get(name, 0.0)) for weights in (learned.known, learned.by_text))
        shares[name] = np.nan_to_num(each) * np.where(index.by_text, by_text, known * factors[name])
    if "text" in shares and index.by_text.any():
        ahead = learned.by_text_offset * _share_known(learned, scaled)
        shares[BY_TEXT] = np.broadcast_to(
            np.where(index.by_text, np.float32(ahead), np.float32(0)), shares["text"].shape
        )
    return shares


def _share_known(learned: LearnedWeights, scaled: Mapping[str, Matrix]) -> float:
    """Of the weight of playlists known by songs, that of the signals that are there: the less, the less to make up."""
    every = sum(learned.known.values())
    return sum(weight for name, weight in learned.known.items() if name in scaled) / every if every else 1.0


def _sum(matrices: Mapping[str, Matrix], shape: tuple[int, int]) -> Matrix:
    return np.asarray(sum(matrices.values(), np.zeros(shape, np.float32)), np.float32)


def _scaled(signal: Matrix, scale: Scale) -> Matrix:
    scaled = (signal - np.float32(scale.mean)) / np.float32(scale.spread)
    return np.asarray(np.clip(scaled, -_FARTHEST, _FARTHEST), np.float32)
