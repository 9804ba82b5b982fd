"""Playlists that are known by songs."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from registry.records import Playlist, Song
from registry.vectors.records import Member, StoredProfile, Vector


def unit(*numbers: float) -> Vector:
    """A vector of length 1."""
    array = np.array(numbers, np.float32)
    return np.asarray(array / np.linalg.norm(array), np.float32)


@pytest.fixture(scope="session")
def holding() -> Callable[..., StoredProfile]:
    """Make a playlist that holds songs, each with a vector or without."""

    def make(name: str, songs: Sequence[Song], vectors: Sequence[Vector | None] = ()) -> StoredProfile:
        known = [*vectors, *[None] * (len(songs) - len(vectors))]
        there = [each for each in known if each is not None]
        total = np.sum(there, axis=0) if there else None
        return StoredProfile(
            playlist=Playlist(playlist_id=name, name=name),
            embedding=unit(1, 0, 0),
            centroid=None if total is None else np.asarray(total / np.linalg.norm(total), np.float32),
            song_count=len(songs),
            acoustic={},
            members=tuple(Member(song, vector) for song, vector in zip(songs, known, strict=True)),
        )

    return make
