"""How much each pair counts in training: capped, so that nothing drowns the rest, and popularity tempered.

Whatever exceeds a cap keeps weight 0: it is known, so it is no negative, but it is not trained on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.pairs import Pair

PLAYLISTS_PER_SONG = 50
SONGS_PER_PLAYLIST = 500
PAIRS_PER_USER = 5_000
"""Of the pairs that are known from one user's feedback, or from one owner's assignments, alone."""

POPULAR = 8
"""A song in more playlists than these counts less in each."""

Weights = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_OrderOf = Callable[[int], bytes]


@dataclass(frozen=True)
class _Items:
    """Songs in playlists, a song being all its near-duplicates together; one row each.

    Attributes:
        of_pair: the row of each pair.
        first: a pair of each row.
        clusters: a number for each row's song; `playlists` for its playlist.
    """

    of_pair: Codes
    first: Codes
    clusters: Codes
    playlists: Codes


def training_weights(pairs: Sequence[Pair], clusters: Mapping[str, str]) -> Weights:
    """The weights of training pairs, in [0, 1] and never above that of their source; shape (pairs,).

    Caps go by song, then playlist, then user; the strongest sources stay, and among equals a hash decides. Then a song
    that is left in k playlists counts sqrt(8 / k) in each, if that is less than 1.
    """
    weights = np.array([pair.weight for pair in pairs], np.float64)
    items = _items(pairs, clusters)

    def item_order(row: int) -> bytes:
        pair = pairs[items.first[row]]
        return _order(pair.playlist_id, clusters[pair.song_id])

    strength = np.zeros(len(items.first))
    np.maximum.at(strength, items.of_pair, weights)
    strength[_beyond(items.clusters, strength, PLAYLISTS_PER_SONG, item_order)] = 0
    strength[_beyond(items.playlists, strength, SONGS_PER_PLAYLIST, item_order)] = 0
    weights[strength[items.of_pair] == 0] = 0
    weights[_beyond_users(pairs, weights)] = 0
    return np.round(weights * _tempering(items, weights), 6)


def _items(pairs: Sequence[Pair], clusters: Mapping[str, str]) -> _Items:
    songs, playlists = _codes([clusters[pair.song_id] for pair in pairs]), _codes([pair.playlist_id for pair in pairs])
    width = int(playlists.max(initial=0)) + 1
    keys, first, of_pair = np.unique(songs * width + playlists, return_index=True, return_inverse=True)
    return _Items(of_pair, first, keys // width, keys % width)


def _beyond_users(pairs: Sequence[Pair], weights: Weights) -> Codes:
    """The pairs that exceed the cap of the one person from whom they are known."""
    theirs = [row for row, pair in enumerate(pairs) if pair.user is not None]
    users = _codes([pairs[row].user or "" for row in theirs])
    beyond = _beyond(
        users,
        weights[theirs],
        PAIRS_PER_USER,
        lambda row: _order(pairs[theirs[row]].playlist_id, pairs[theirs[row]].song_id),
    )
    return np.array(theirs, np.int64)[beyond]


def _beyond(groups: Codes, strength: Weights, cap: int, order_of: _OrderOf) -> Codes:
    """The rows that exceed a cap on each group; rows of strength 0 do not count."""
    counted = strength > 0
    sizes = np.bincount(groups[counted], minlength=int(groups.max(initial=-1)) + 1)
    rows = np.flatnonzero(counted & (sizes[groups] > cap))
    orders = np.array([int.from_bytes(order_of(int(row))) for row in rows], np.uint64)
    rows = rows[np.lexsort((orders, -strength[rows], groups[rows]))]
    starts = np.flatnonzero(np.diff(groups[rows], prepend=-1))
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    return np.asarray(rows[place >= cap])


def _tempering(items: _Items, weights: Weights) -> Weights:
    """A factor for each pair: less than 1 for songs that are trained on in many playlists."""
    trained = np.zeros(len(items.first), np.bool_)
    trained[items.of_pair[weights > 0]] = True
    popularity = np.bincount(items.clusters[trained], minlength=int(items.clusters.max(initial=-1)) + 1)
    factor = np.minimum(1.0, np.sqrt(POPULAR / np.maximum(popularity, 1)))
    return np.asarray(factor[items.clusters[items.of_pair]])


def _codes(names: list[str]) -> Codes:
    """A number for each name, equal for equal ones, in order of first occurrence."""
    return np.asarray(pa.array(names, pa.string()).dictionary_encode().indices, np.int64)


def _order(playlist_id: str, song: str) -> bytes:
    """Eight bytes that mean nothing and are always the same."""
    return sha256(f"cap:{playlist_id}\n{song}".encode()).digest()[:8]
