"""What is said of a version's vectors: what is there, what waits, what is written and what is read."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from registry.records import Playlist, Song

Matrix = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Coverage:
    """Catalogue against a version's vectors: songs by what is wrong with them, playlists without a current profile."""

    missing: int
    stale: int
    quarantined: int
    orphaned: int
    playlists: int

    @property
    def complete(self) -> bool:
        """Whether the version could answer for the whole catalogue, save for what is quarantined."""
        return self.missing == self.stale == self.orphaned == self.playlists == 0


def quarantine_limit(songs: int) -> int:
    """How many songs of a catalogue may be set aside by a version that serves: a hundredth, or five of a small one."""
    return max(5, songs // 100)


@dataclass(frozen=True)
class VectorSetState:
    """What the books say of a version's vectors.

    Attributes:
        attached: whether they are visible.
        index_recall: recall@20 of the index against exact search, measured before they became so.
        ef_search, text_ef_search: how far searches of the index look (`hnsw.ef_search`) to reach it, for songs like a
            song and for songs that fit a text.
        precision: what songs are embedded in; `None` as long as that was not measured.
        profiles_revision: grows whenever a playlist's profile is written.
    """

    version: str
    dimensions: int
    attached: bool
    index_recall: float | None
    ef_search: int | None
    text_ef_search: int | None
    precision: str | None
    profiles_revision: int


@dataclass(frozen=True)
class PendingSong:
    """A song whose vector is missing or stale (then the new one replaces it), and the content hash it will carry."""

    song: Song
    content_hash: bytes
    replaces: bool


@dataclass(frozen=True)
class PendingPlaylist:
    """A playlist whose profile is missing or stale; `known_hash` is that of the text embedded last."""

    playlist: Playlist
    revision: int
    known_hash: bytes | None


@dataclass(frozen=True)
class FreshProfile:
    """A playlist's new text vector (`None`: the text has not changed), for the revision it was read at."""

    playlist_id: str
    revision: int
    text_hash: bytes
    embedding: Vector | None


MOST_MEMBERS = 200
"""Songs by which a playlist is known one by one; centroid and mean sound are of all that it holds."""


@dataclass(frozen=True)
class Member:
    """A song that a playlist holds.

    Attributes:
        vector: its current one, of length 1; None if it has none.
        emotions: its current scores, from 0 to 1; None if it has none, or the version does not match by them.
    """

    song: Song
    vector: Vector | None
    emotions: Vector | None = None


@dataclass(frozen=True)
class StoredProfile:
    """A playlist as a version knows it. Vectors have length 1 and the version's dimensions.

    Attributes:
        song_count: how many songs it holds.
        members: those songs, the newest at most `MOST_MEMBERS`, by id.
        revision: of the playlist that this is made from; 0 if something of it was not current.
    """

    playlist: Playlist
    embedding: Vector
    centroid: Vector | None
    song_count: int
    acoustic: dict[str, float]
    members: tuple[Member, ...] = ()
    revision: int = 0
