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
            mean of their songs.
    """
    return np.asarray(_standard(songs @ playlists.T) + _standard(songs @ centroids.T), np.float32)


def _standard(scores: Scores) -> Scores:
    return np.asarray((scores - scores.mean()) / (scores.std() or 1.0), np.float32)
