"""Which songs and playlists are kept from training.

Assignment is by hash, so a song or playlist stays on its side from one dataset to the next: what one version is tested
on, no other version was trained on. Only the split by time moves: its songs grow old and are trained on.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256

from training.clusters import side_key

TEST_SONGS = 0.15
DEVELOPMENT_SONGS = 0.10
HELD_OUT_PLAYLISTS = 0.10
DEVELOPMENT_PLAYLISTS = 0.05
LATER_SONGS = 0.10
WEIGHING_SONGS = 0.06
"""Share of the songs of the train side that an embedding is not trained on: by them its signals are weighed."""
MOST_WEIGHING = 2_000
DATED_PAIRS = 0.5
"""Share of the pairs that must be dated before there is a split by time."""


class Split(StrEnum):
    """What a pair is for, by the sides of its playlist and its song."""

    TRAIN = "train"
    DEVELOPMENT = "development"
    DEVELOPMENT_PLAYLIST = "development_playlist"
    UNSEEN_SONG = "unseen_song"
    UNSEEN_PLAYLIST = "unseen_playlist"
    BOTH_UNSEEN = "both_unseen"
    LATER = "later"
    ASIDE = "aside"


REGIMES = (Split.UNSEEN_SONG, Split.UNSEEN_PLAYLIST, Split.BOTH_UNSEEN, Split.LATER)
"""What is tested, always reported apart."""

UNSEEN_PLAYLISTS = (Split.UNSEEN_PLAYLIST, Split.BOTH_UNSEEN)
"""Regimes of playlists that are held out whole: known by their text alone, and ranked among themselves."""

DEVELOPMENT_REGIMES = (Split.DEVELOPMENT, Split.DEVELOPMENT_PLAYLIST)
"""What checkpoints are chosen by."""


def song_split(cluster: str, salt: str = "") -> Split:
    """The side of a cluster of songs: train, development or unseen song.

    Args:
        salt: another one deals songs and playlists anew, for cross-fitting.
    """
    share = _share("song", side_key(cluster), salt)
    if share < TEST_SONGS:
        return Split.UNSEEN_SONG
    return Split.DEVELOPMENT if share < TEST_SONGS + DEVELOPMENT_SONGS else Split.TRAIN


def weighing(clusters: Iterable[str], salt: str = "") -> frozenset[str]:
    """Those clusters of the train side, at most 2,000, that weights of signals are learned from, and embeddings not.

    What an embedding was trained on lies nearer to its playlists than any new song will.
    """
    shares = {each: _share("song", side_key(each), salt) for each in set(clusters)}
    least = TEST_SONGS + DEVELOPMENT_SONGS
    chosen = sorted((share, each) for each, share in shares.items() if least <= share < least + WEIGHING_SONGS)
    return frozenset(each for _, each in chosen[:MOST_WEIGHING])


def playlist_split(playlist_id: str, salt: str = "") -> Split:
    """The side of a playlist: train, development playlist or unseen playlist."""
    share = _share("playlist", playlist_id, salt)
    if share < HELD_OUT_PLAYLISTS:
        return Split.UNSEEN_PLAYLIST
    return Split.DEVELOPMENT_PLAYLIST if share < HELD_OUT_PLAYLISTS + DEVELOPMENT_PLAYLISTS else Split.TRAIN


def playlist_held_out(playlist_id: str, salt: str = "") -> bool:
    """Whether a playlist is held out whole as a test: none of its pairs is trained on."""
    return playlist_split(playlist_id, salt) is Split.UNSEEN_PLAYLIST


def pair_split(playlist_id: str, cluster: str, *, later: bool = False, salt: str = "") -> Split:
    """What a pair is for.

    Args:
        later: whether the song is one of the newest.
    """
    return combined(playlist_split(playlist_id, salt), song_split(cluster, salt), later=later)


def combined(playlist: Split, song: Split, *, later: bool = False) -> Split:
    """What a pair is for, from the sides of its playlist and its song."""
    later = later and song is Split.TRAIN
    if playlist is Split.UNSEEN_PLAYLIST:
        return Split.UNSEEN_PLAYLIST if song is Split.TRAIN else Split.BOTH_UNSEEN
    if playlist is Split.DEVELOPMENT_PLAYLIST:
        return Split.ASIDE if later or song is Split.UNSEEN_SONG else Split.DEVELOPMENT_PLAYLIST
    return Split.LATER if later else song


def later_clusters(dated: Mapping[str, float], *, share_dated: float) -> frozenset[str]:
    """The newest clusters, at most one in ten: all are newer than any other dated one.

    Args:
        dated: when each cluster of the train side was first added to any playlist, in seconds since 1970; those of
            which this is not known are left out.
        share_dated: of the pairs of the train side; below one half there is no split by time.
    """
    if share_dated < DATED_PAIRS or not dated:
        return frozenset()
    cutoff = sorted(dated.values())[-1 - int(len(dated) * LATER_SONGS)]
    return frozenset(cluster for cluster, added in dated.items() if added > cutoff)


def sides(clusters: Iterable[str], playlists: Iterable[str], salt: str = "") -> tuple[dict[str, Split], ...]:
    """The sides of clusters and of playlists, each looked up once."""
    return {each: song_split(each, salt) for each in clusters}, {each: playlist_split(each, salt) for each in playlists}


def _share(kind: str, key: str, salt: str) -> float:
    """A number in [0, 1) that depends on the key and the salt alone."""
    salted = f"{salt}\n{kind}:{key}" if salt else f"{kind}:{key}"
    return int.from_bytes(sha256(salted.encode()).digest()[:8]) / 2**64
