"""Which songs and playlists are kept from training.

Assignment is by hash, so a song or playlist stays on its side from one dataset to the next: what one version is tested
on, no other version was trained on.
"""

from enum import StrEnum
from hashlib import sha256

TEST_SONGS = 0.15
DEVELOPMENT_SONGS = 0.10
HELD_OUT_PLAYLISTS = 0.10


class Split(StrEnum):
    """What a pair is for. The last two are the test regimes, always reported apart."""

    TRAIN = "train"
    DEVELOPMENT = "development"
    UNSEEN_SONG = "unseen_song"
    UNSEEN_PLAYLIST = "unseen_playlist"


REGIMES = (Split.UNSEEN_SONG, Split.UNSEEN_PLAYLIST)


def song_split(cluster: str) -> Split:
    """The side of a cluster of songs: train, development or unseen song."""
    share = _share("song", cluster)
    if share < TEST_SONGS:
        return Split.UNSEEN_SONG
    return Split.DEVELOPMENT if share < TEST_SONGS + DEVELOPMENT_SONGS else Split.TRAIN


def playlist_held_out(playlist_id: str) -> bool:
    """Whether a playlist is held out whole: none of its pairs is trained on."""
    return _share("playlist", playlist_id) < HELD_OUT_PLAYLISTS


def pair_split(playlist_id: str, cluster: str) -> Split:
    """The side of a pair: its playlist's if that is held out, else its song's."""
    return Split.UNSEEN_PLAYLIST if playlist_held_out(playlist_id) else song_split(cluster)


def _share(kind: str, key: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return int.from_bytes(sha256(f"{kind}:{key}".encode()).digest()[:8]) / 2**64
