"""Searching from the command line: the songs or playlists of one version that are nearest to a text or to a song."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.matching import find_songs
from lifecycle.workspace import Workspace
from registry import catalogue, pointer
from registry.database import Connection
from registry.errors import BadInput, NotFound
from registry.records import Playlist, Song, SongId
from registry.texts import render_playlist, render_song
from registry.vectors.records import Vector
from registry.vectors.search import PlaylistFilter, SongFilter, nearest_playlists, nearest_songs
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion


@dataclass(frozen=True)
class Question:
    """What is searched for: what a text means, as if a playlist were called that; or what is like a song."""

    text: str | None = None
    like: str | None = None


@dataclass(frozen=True)
class _Asked:
    """A question as one version understands it; of a song of the catalogue also the vector on record, if current."""

    version: ModelVersion
    generation: int
    song: Song | None
    recorded: Vector | None


def search_songs(
    workspace: Workspace,
    question: Question,
    *,
    where: SongFilter,
    version: str | None = None,
    top: int = 20,
    exact: bool = False,
) -> dict[str, Any]:
    """The nearest songs that a filter keeps, nearest first; without the song that they are to be like.

    Raises:
        BadInput: the text is blank.
        NotFound: no such song, no version is live, or the named one does not exist or is not whole.
    """
    asked = _understand(workspace, question, version)
    vector = _vector(workspace, question, asked)
    vectors = VectorSet(asked.version)
    with workspace.database.transaction() as connection:
        # One more than is shown: the song itself is among the nearest.
        like = asked.song is not None
        found = nearest_songs(connection, vectors, vector, k=top + 1, where=where, like_a_song=like, exact=exact)
        songs = catalogue.songs_by_id(connection, [song_id for song_id, _ in found])
    shown = [
        _song_json(song, cosine)
        for song_id, cosine in found
        if (song := songs.get(SongId(song_id))) and (asked.song is None or song_id != asked.song.song_id)
    ]
    return _document(asked, shown[:top])


def search_playlists(
    workspace: Workspace, question: Question, *, where: PlaylistFilter, version: str | None = None, top: int = 20
) -> dict[str, Any]:
    """The playlists that a filter keeps whose texts are nearest, nearest first.

    Raises:
        BadInput: the text is blank.
        NotFound: no such song, no version is live, or the named one does not exist or is not whole.
    """
    asked = _understand(workspace, question, version)
    vector = _vector(workspace, question, asked)
    with workspace.database.transaction() as connection:
        found = nearest_playlists(connection, VectorSet(asked.version), vector, k=top, where=where)
        known = catalogue.find_playlists(connection, [playlist_id for playlist_id, _ in found])
    results = [_playlist_json(known[name][0], cosine) for name, cosine in found if name in known]
    return _document(asked, results)


def _understand(workspace: Workspace, question: Question, name: str | None) -> _Asked:
    if not question.like and not (question.text or "").strip():
        raise BadInput("The text to search for is blank.", "Say what is searched for, or name a song with --like.")
    with workspace.database.transaction() as connection:
        version, generation = _version(connection, name)
        if question.like is None:
            return _Asked(version, generation, None, None)
        song = find_songs(connection, question.like)[0]
        recorded = VectorSet(version).song_vectors(connection, [song.song_id])
    return _Asked(version, generation, song, recorded.get(song.song_id))


def _version(connection: Connection, name: str | None) -> tuple[ModelVersion, int]:
    """The named or the live version, and the generation of the live pointer."""
    version, generation = pointer.chosen_version(connection, name)
    state = VectorSet(version).state(connection)
    if state is None or not state.attached:
        raise NotFound(
            f"{version.version} is not whole: nothing can be searched with it yet.",
            f"Run `autosort reembed {version.version}`.",
        )
    return version, generation


def _vector(workspace: Workspace, question: Question, asked: _Asked) -> Vector:
    """The vector that neighbours are wanted of; embedded now, outside any transaction, unless it is on record."""
    if asked.recorded is not None:
        return asked.recorded
    encoder = workspace.load_encoder(asked.version.spec.embedder)
    template = asked.version.spec.text_template
    if asked.song:
        return np.asarray(encoder.songs([render_song(asked.song, template)])[0])
    wanted = Playlist(playlist_id="wanted", name=question.text or "")
    return np.asarray(encoder.playlists([render_playlist(wanted, template)])[0])


def _document(asked: _Asked, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"model_version": asked.version.version, "generation": asked.generation, "results": results}


def _song_json(song: Song, cosine: float) -> dict[str, Any]:
    return {"song_id": song.song_id, "title": song.title, "artist": song.artist, "cosine": round(cosine, 4)}


def _playlist_json(playlist: Playlist, cosine: float) -> dict[str, Any]:
    return {"playlist_id": playlist.playlist_id, "name": playlist.name, "cosine": round(cosine, 4)}
