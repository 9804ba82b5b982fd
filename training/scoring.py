"""How an embedding by itself scores playlists for songs."""

import numpy as np
import numpy.typing as npt

from training.metrics import Scores

Vectors = npt.NDArray[np.float32]


def text_and_centroid(songs: Vectors, playlists: Vectors, centroids: Vectors) -> Scores:
    """The two signals of an embedding, each on a common scale, added: shape (songs, playlists).

    Args:
        songs: unit vectors, shape (songs, dimensions).
        playlists: unit vectors of the playlists' texts, shape (playlists, dimensions); `centroids` likewise of the
            mean of their songs, rows of NaN where no songs are known: there the text counts twice.
    """
    text, centroid = _standard(songs @ playlists.T), _standard(songs @ centroids.T)
    return np.asarray(text + np.where(np.isnan(centroid), text, centroid), np.float32)


def _standard(scores: Scores) -> Scores:
    """In standard deviations from the mean of what is known; all alike is all 0."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return scores
    spread = float(known.std())
    return np.asarray((scores - known.mean()) / (spread if spread > _ROUNDING else 1.0), np.float32)


_ROUNDING = 1e-6
"""A spread of cosines that is nothing but rounding."""
