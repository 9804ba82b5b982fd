"""The scales that make a version's signals comparable, measured when the version is made.

Models differ in how far apart they put what is unrelated (E5: cosines of 0.7 to 1.0, MiniLM: 0 to 0.6). A signal is
therefore measured in standard deviations above what a song and a playlist that it is not in have.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from registry.records import ACOUSTIC_FEATURES, Song
from registry.versions import MatchSpec, Scale
from serving.matching.playlist_types import HEURISTIC_WEIGHTS
from serving.matching.scoring import SIGNALS, PlaylistIndex, features_of, raw_signals, song_acoustics

Matrix = npt.NDArray[np.float32]

_NO_SCALE = Scale(mean=0.0, spread=1.0)


def measure_features(songs: Sequence[Song]) -> dict[str, Scale]:
    """Mean and spread of each audio feature over songs; a feature that nobody has gets mean 0 and spread 1."""
    known = [features_of(song.audio_features) for song in songs]
    return {name: _scale(np.array([each[name] for each in known if name in each])) for name in ACOUSTIC_FEATURES}


def uncalibrated(features: Mapping[str, Scale]) -> MatchSpec:
    """The heuristic weights with signals as they come: what the scales are measured with."""
    return MatchSpec(weights=HEURISTIC_WEIGHTS, signals=dict.fromkeys(SIGNALS, _NO_SCALE), features=dict(features))


def calibrate(
    vectors: Matrix, songs: Sequence[Song], index: PlaylistIndex, belongs: npt.NDArray[np.bool_], spec: MatchSpec
) -> MatchSpec:
    """The same weights with each signal's scale over pairs that do not belong together.

    Args:
        vectors: the songs' vectors, shape (n, d).
        belongs: shape (n, p), true where the playlist holds the song.
    """
    signals = raw_signals(vectors, song_acoustics(songs, spec), index)
    scales = {name: _scale(signals[name][~belongs]) for name in SIGNALS}
    return spec.model_copy(update={"signals": scales})


def _scale(values: npt.NDArray[np.floating]) -> Scale:
    known = values[~np.isnan(values)]
    if len(known) < 2 or known.std() < 1e-6:  # noqa: PLR2004 - no spread to speak of
        return Scale(mean=float(known.mean()) if len(known) else 0.0, spread=1.0)
    return Scale(mean=round(float(known.mean()), 6), spread=round(float(known.std()), 6))
