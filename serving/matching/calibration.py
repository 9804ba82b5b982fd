"""The scales that make a version's signals comparable, measured when the version is made.

Models differ in how far apart they put what is unrelated (E5: cosines of 0.7 to 1.0, MiniLM: 0 to 0.6). A signal is
therefore measured in standard deviations above what a song and a playlist that it is not in have.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from registry.records import ACOUSTIC_FEATURES, Song
from registry.texts import CURRENT_TEMPLATE
from registry.versions import EmotionScale, MatchSpec, Scale, SoundScale
from serving.matching.index import PlaylistIndex
from serving.matching.playlist_types import HEURISTIC_WEIGHTS
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.matching.signals.emotional import log_odds
from serving.matching.signals.names import PAYING_SIGNALS
from serving.matching.signals.sound import SOUNDS, features_of, normal_scores, sounds_of

_NO_SCALE = Scale(mean=0.0, spread=1.0)
_GRADES = 64
"""Values of a feature that are kept of its distribution."""
_USUALLY_WITHIN = 0.9
"""Standard deviation within a playlist where that cannot be measured; over all songs it is 1."""
_LEAST_WITHIN = 0.2
"""Songs that all sound the same leave none to divide by, and a small library's would decide everything."""


def measure_features(songs: Sequence[Song]) -> dict[str, Scale]:
    """Mean and spread of each audio feature over songs; a feature that nobody has gets mean 0 and spread 1."""
    known = [features_of(song.audio_features) for song in songs]
    return {name: _scale(np.array([each[name] for each in known if name in each])) for name in ACOUSTIC_FEATURES}


def measure_sounds(songs: Sequence[Song], playlists: Iterable[Sequence[Song]]) -> dict[str, SoundScale]:
    """How each feature is distributed over songs, and how much of that there is within a playlist."""
    known = [sounds_of(song) for song in songs]
    scales = {name: _sound_scale([each[name] for each in known if name in each]) for name in SOUNDS}
    within = _within([normal_scores(held, scales) for held in playlists], len(scales))
    return {
        name: scale.model_copy(update={"within": float(each)})
        for (name, scale), each in zip(scales.items(), within, strict=True)
    }


def measure_emotions(labels: Sequence[str], scores: Matrix) -> tuple[EmotionScale, ...]:
    """Mean and spread of each emotion's log-odds over songs.

    Args:
        scores: of the songs, shape (n, labels), from 0 to 1; NaN where they are not known.
    """
    scales = [_scale(each) for each in log_odds(scores).T]
    return tuple(EmotionScale(label=label, **dict(scale)) for label, scale in zip(labels, scales, strict=True))


def uncalibrated(
    features: Mapping[str, Scale],
    sounds: Mapping[str, SoundScale] | None = None,
    emotions: Sequence[EmotionScale] = (),
    *,
    signals: Sequence[str] = PAYING_SIGNALS,
    template: int = CURRENT_TEMPLATE,
) -> MatchSpec:
    """The heuristic weights with signals as they come: what the scales are measured with."""
    return MatchSpec(
        weights=HEURISTIC_WEIGHTS,
        signals=dict.fromkeys(signals, _NO_SCALE),
        features=dict(features),
        sounds=dict(sounds or {}),
        emotions=tuple(emotions),
        text_template=template,
    )


def calibrate(
    vectors: Matrix,
    songs: Sequence[Song],
    index: PlaylistIndex,
    belongs: npt.NDArray[np.bool_],
    spec: MatchSpec,
    emotions: Matrix | None = None,
) -> MatchSpec:
    """The same weights with each signal's scale over pairs that do not belong together.

    Args:
        vectors: the songs' vectors, shape (n, d).
        belongs: shape (n, p), true where the playlist holds the song.
        emotions: the songs' scores, shape (n, labels), if they are known.
    """
    asked = AskedSongs(songs, vectors, emotions)
    scales = {name: _scale(each[~belongs]) for name, each in index.raw(asked).items()}
    return spec.model_copy(update={"signals": scales})


def _scale(values: npt.NDArray[np.floating]) -> Scale:
    known = values[~np.isnan(values)]
    if len(known) < 2 or known.std() < 1e-6:  # noqa: PLR2004 - no spread to speak of
        return Scale(mean=float(known.mean()) if len(known) else 0.0, spread=1.0)
    return Scale(mean=round(float(known.mean()), 6), spread=round(float(known.std()), 6))


def _sound_scale(values: Sequence[float]) -> SoundScale:
    """Quantiles; a value that many songs have stands for the middle of its ranks."""
    ordered = np.sort(np.asarray(values, np.float64))
    if not len(ordered):
        return SoundScale(values=(), scores=(), within=_USUALLY_WITHIN)
    grades = np.unique(np.quantile(ordered, np.linspace(0, 1, _GRADES), method="nearest"))
    below, up_to = (np.searchsorted(ordered, grades, side) for side in ("left", "right"))
    ranks = ((below + up_to) / 2 + 0.5) / (len(ordered) + 1)
    scores = [round(NormalDist().inv_cdf(float(rank)), 4) for rank in np.clip(ranks, 0.001, 0.999)]
    return SoundScale(values=tuple(grades.tolist()), scores=tuple(scores), within=_USUALLY_WITHIN)


def _within(playlists: Sequence[Matrix], features: int) -> npt.NDArray[np.float64]:
    """Pooled standard deviation of each feature's scores within playlists; the usual one where too few are known."""
    squares, freedom = np.zeros(features), np.zeros(features)
    for scores in playlists:
        known = ~np.isnan(scores)
        count = known.sum(axis=0)
        mean = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares += (np.where(known, scores - mean, 0.0) ** 2).sum(axis=0)
        freedom += np.maximum(count - 1, 0)
    enough = (freedom >= 10) & (squares > 0)  # noqa: PLR2004 - fewer songs say little about a spread
    measured = np.sqrt(np.where(enough, squares, 1.0) / np.maximum(freedom, 1))
    within = np.where(enough, np.maximum(measured, _LEAST_WITHIN), _USUALLY_WITHIN)
    return np.asarray(within.round(4), np.float64)
