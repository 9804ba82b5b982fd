"""What every signal is asked: songs with their vectors, against the playlists that it knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from registry.records import Song

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AskedSongs:
    """n songs, and what the version's models say of them.

    Attributes:
        vectors: in the version's space, shape (n, dimensions).
        emotions: scores from 0 to 1, shape (n, labels), NaN where they are not known; None if nobody asks for them.
    """

    songs: Sequence[Song]
    vectors: Matrix
    emotions: Matrix | None = None

    def only(self, row: int) -> "AskedSongs":
        """One of them."""
        rows = slice(row, row + 1)
        return AskedSongs(self.songs[rows], self.vectors[rows], None if self.emotions is None else self.emotions[rows])


class Signal(Protocol):
    """One kind of evidence for a song's place in each of p playlists."""

    def scores(self, asked: AskedSongs) -> Matrix:
        """Shape (n, p), as it comes, before it is brought to scale; NaN where there is nothing to tell it by."""
        ...

    def only(self, row: int) -> Self:
        """The same of one of the playlists alone."""
        ...
