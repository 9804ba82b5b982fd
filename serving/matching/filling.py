"""Songs of the catalogue for a playlist: matching the other way round, by the same version and the same scores.

Scores compare playlists for one song; songs for one playlist they do not: a song that is much like all songs scores
high everywhere. Songs are therefore ordered by how much better they fit here than elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry import catalogue
from registry.database import Connection
from registry.errors import NotFound
from registry.records import Playlist, Song, SongId
from registry.vectors.records import StoredProfile
from registry.vectors.search import nearest_songs
from registry.vectors.vector_set import VectorSet
from serving.matching.explanation import explain
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering, emotions_on_record, read_emotions, song_json
from serving.matching.scoring import MatchScores, match_songs
from serving.matching.signals.asked import AskedSongs, Matrix

_NEAR = 200
"""Songs near the playlist's text, and as many near its songs, of which the scores then choose."""

_MOST_NEAR = 1_000

ELSEWHERE = "elsewhere"
"""The share of a score that the other playlists take."""

_SHARPNESS = 6.0
"""Of heuristic scores as logits; learned ones are logits. Between 4 and 8 it hardly matters."""


@dataclass(frozen=True)
class Candidates:
    """Songs that may belong in a playlist.

    Attributes:
        index: of that playlist alone.
        songs: n songs.
        vectors: theirs, shape (n, dimensions).
        emotions: theirs, shape (n, labels), NaN where they are not known; None if nobody asks for them.
        members: ids of the songs that it holds.
        holders: of each song, by its id, the ids of the playlists that hold it.
    """

    index: PlaylistIndex
    songs: list[Song]
    vectors: Matrix
    members: set[str]
    holders: Mapping[str, set[str]]
    emotions: Matrix | None = None

    @property
    def asked(self) -> AskedSongs:
        """The songs, to be scored."""
        return AskedSongs(self.songs, self.vectors, self.emotions)


def known_playlist(answering: Answering, playlist_id: str) -> PlaylistIndex:
    """An index of one playlist of the catalogue.

    Raises:
        NotFound: the version does not know it.
    """
    rows = [row for row, each in enumerate(answering.index.playlists) if each.playlist_id == playlist_id]
    if not rows:
        raise NotFound(
            "The playlist is not in the catalogue.", "Put it there, or send its name and description instead of its id."
        )
    return answering.index.only(rows[0])


def told_playlist(answering: Answering, playlist: Playlist, vector: Matrix) -> PlaylistIndex:
    """An index of one playlist that is known by its words alone.

    Args:
        vector: of its text, shape (dimensions,).
    """
    profile = StoredProfile(playlist, vector, centroid=None, song_count=0, acoustic={})
    return answering.index.beside(profile, answering.version.spec.matching)


def near(connection: Connection, answering: Answering, index: PlaylistIndex, *, members: bool) -> Candidates:
    """Songs near one playlist's text or near its own songs.

    Args:
        members: whether those that it holds already may be among them.
    """
    vectors, (playlist,) = VectorSet(answering.version), index.playlists
    held = _members(connection, playlist.playlist_id)
    k = min(_MOST_NEAR, _NEAR + (0 if members else len(held)))
    found = dict.fromkeys(each for each, _ in nearest_songs(connection, vectors, index.texts[0], k=k))
    if not np.isnan(index.centroids[0]).any():
        around = nearest_songs(connection, vectors, index.centroids[0], k=k, like_a_song=True)
        found |= dict.fromkeys(each for each, _ in around)
    wanted = [each for each in found if members or each not in held]
    songs, recorded = catalogue.songs_by_id(connection, wanted), vectors.song_vectors(connection, wanted)
    known = [each for each in wanted if each in recorded and SongId(each) in songs]
    rows = np.array([recorded[each] for each in known], np.float32).reshape(len(known), -1)
    holders = catalogue.memberships_of(connection, known)
    emotions = emotions_on_record(answering, known, read_emotions(connection, answering, known))
    return Candidates(index, [songs[SongId(each)] for each in known], rows, held, holders, emotions)


def _members(connection: Connection, playlist_id: str) -> set[str]:
    if "\0" in playlist_id:  # it was told, and Postgres knows no such id
        return set()
    return set(catalogue.members_of(connection, [playlist_id]).get(playlist_id, ()))


def fill(answering: Answering, candidates: Candidates, *, top_k: int) -> list[dict[str, Any]]:
    """The best songs for the playlist, best first, with each signal's share of the score.

    A score above 0 says that the song fits here better than in all other playlists together.
    """
    if not candidates.songs:
        return []
    scores = _here_rather_than_elsewhere(answering, candidates)
    order = np.argsort(-scores.score[:, 0], kind="stable")[:top_k]
    return [_match_json(candidates, scores, int(row)) for row in order]


def _here_rather_than_elsewhere(answering: Answering, candidates: Candidates) -> MatchScores:
    """Log odds of this playlist against all those that the version knows and that do not hold the song already.

    That a song is in another playlist says nothing against its place in this one.
    """
    spec, songs, vectors = answering.version.spec.matching, candidates.songs, candidates.vectors
    here = match_songs(vectors, songs, candidates.index, spec, candidates.emotions)
    elsewhere = match_songs(vectors, songs, answering.index, spec, candidates.emotions).score.copy()
    (playlist,) = candidates.index.playlists
    for row, song in enumerate(songs):
        away = {playlist.playlist_id, *candidates.holders.get(song.song_id, ())}
        elsewhere[row, [answering.index.places[each] for each in away if each in answering.index.places]] = -np.inf
    share = -_log_sum(elsewhere, 1.0 if spec.learned else _SHARPNESS)[:, None]
    return MatchScores(score=here.score + share, shares={**here.shares, ELSEWHERE: share})


def _log_sum(scores: Matrix, sharpness: float) -> Matrix:
    """A soft maximum of each row, shape (n,); 0 where nothing is finite."""
    highest = scores.max(axis=1, initial=-np.inf)
    known = np.isfinite(highest)
    away = np.where(known[:, None], scores - np.where(known, highest, 0.0)[:, None], 0.0)
    soft = np.where(known, highest, 0.0) + np.log(np.maximum(np.exp(sharpness * away).sum(axis=1), 1.0)) / sharpness
    return np.asarray(np.where(known, soft, 0.0), np.float32)


def _match_json(candidates: Candidates, scores: MatchScores, row: int) -> dict[str, Any]:
    song, shares = candidates.songs[row], scores.shares_of(row, 0)
    return {
        "song": song_json(song),
        "score": round(float(scores.score[row, 0]), 4),
        "signals": {name: round(share, 4) for name, share in shares.items()},
        "already_in": song.song_id in candidates.members,
        **explain(candidates.asked.only(row), candidates.index, 0, shares).as_json(),
    }
