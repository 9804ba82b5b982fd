"""Where songs rank that playlists hold already, as if they did not.

A song that is in a playlist is part of that playlist's centroid and of its mean sound, and so is its remaster: asked as
things stand, it would find its way back by itself. Hence every song is asked with all its recordings left out of the
playlists in question, whose profiles are made again from the vectors of the songs that remain: the centroid on record
has length 1, so that nothing can be subtracted from it. Profiles of the training split would be as clean, but they know
only the songs and playlists of a dataset, which may be on another machine.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from lifecycle.dataset_vectors import profile_of
from lifecycle.golden.vectors import Known
from registry import catalogue
from registry.database import Connection
from registry.records import Song
from registry.texts import render_song
from registry.versions import MatchSpec
from serving.matching.index import PlaylistIndex
from serving.matching.scoring import match_songs
from serving.matching.signals.asked import AskedSongs
from training.clusters import cluster_songs

Remaining = Mapping[str, Mapping[str, Sequence[Song]]]
"""By song, then by playlist that holds a recording of it: the playlist's songs but for these recordings."""


def remaining_songs(
    connection: Connection, songs: Sequence[Song], playlist_ids: Collection[str], template: int
) -> Remaining:
    """What remains of playlists without each song and its other recordings: of those named and those that hold it."""
    holders = catalogue.memberships_of(connection, [song.song_id for song in songs])
    members = catalogue.members_of(connection, set(playlist_ids).union(*holders.values()))
    present = catalogue.songs_by_id(connection, {each for held in members.values() for each in held})
    known: dict[str, Song] = {song.song_id: song for song in (*present.values(), *songs)}
    clusters = cluster_songs(known.values(), lambda song: render_song(song, template))
    return {
        song.song_id: {
            playlist_id: [known[each] for each in held if clusters[each] != clusters[song.song_id]]
            for playlist_id, held in members.items()
            if any(clusters[each] == clusters[song.song_id] for each in held)
        }
        for song in songs
    }


def rank_playlists(
    spec: MatchSpec, known: Known, songs: Sequence[Song], remaining: Remaining, playlist_ids: Iterable[str]
) -> dict[str, dict[str, int]]:
    """The rank, from 1, of each of these playlists for each song, by the full matching, the song left out of them.

    Args:
        songs: songs with a vector; others are passed over.
        playlist_ids: those that the version does not know are passed over.
    """
    songs = [song for song in songs if song.song_id in known.vectors]
    columns = {each.playlist.playlist_id: column for column, each in enumerate(known.profiles)}
    if not songs or not columns:
        return {}
    vectors = np.array([known.vectors[song.song_id] for song in songs], np.float32)
    queries = AskedSongs(
        songs, vectors, known.emotions.of_songs([song.song_id for song in songs]) if known.emotions else None
    )
    felt = known.emotions.scores if known.emotions else None
    index = PlaylistIndex.build(known.profiles, spec, vectors.shape[1])
    scores = match_songs(vectors, songs, index, spec, queries.emotions).score
    for row, song in enumerate(songs):
        profiles = list(known.profiles)
        for each, rest in remaining[song.song_id].items():
            if each in columns:
                profiles[columns[each]] = profile_of(profiles[columns[each]], rest, known.vectors, felt)
        without = PlaylistIndex.build(profiles, spec, vectors.shape[1], index)
        alone = queries.only(row)
        scores[row] = match_songs(alone.vectors, alone.songs, without, spec, alone.emotions).score[0]
    # Equal scores rank as `autosort match` lists them.
    places = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    asked = {each: columns[each] for each in playlist_ids if each in columns}
    return {
        song.song_id: {each: int(places[row, column]) + 1 for each, column in asked.items()}
        for row, song in enumerate(songs)
    }
