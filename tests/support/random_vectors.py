"""Versions with random vectors: whole, indexed and visible, without a model."""

import numpy as np
import numpy.typing as npt

from registry import catalogue, pointer, versions
from registry.database import Database
from registry.records import CatalogueRecord, Membership, Playlist, Song
from registry.stages import Stage
from registry.texts import content_hash, render_playlist
from registry.vectors import index
from registry.vectors.records import FreshProfile, Matrix, PendingPlaylist
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

Vector = npt.NDArray[np.float32]


def unit(rows: int, dimensions: int, *, seed: int = 0) -> Matrix:
    """Random vectors of length 1, shape (rows, dimensions)."""
    matrix = np.random.default_rng(seed).normal(size=(rows, dimensions))
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), dtype=np.float32)


def add_songs(database: Database, count: int) -> None:
    """So many songs, `s-0000` and on, the first of them in the playlist `p`."""
    songs = [Song(song_id=f"s-{number:04}", title=f"Song {number}") for number in range(count)]
    records: list[CatalogueRecord] = [
        *songs,
        Playlist(playlist_id="p", name="P"),
        Membership(playlist_id="p", song_id="s-0000"),
    ]
    with database.transaction() as connection:
        catalogue.merge(connection, enumerate(records, start=1))


def embed(database: Database, version: ModelVersion, *, attach: bool = True, seed: int = 0) -> VectorSet:
    """Give every song and playlist of the catalogue a vector by this version."""
    made = VectorSet(version)
    with database.transaction() as connection:
        catalogue.refresh_texts(connection)
        made.create(connection)
        songs = made.pending_songs(connection)
        made.write_songs(connection, songs, unit(len(songs), made.dimensions, seed=seed))
        playlists = made.pending_playlists(connection)
        texts = unit(len(playlists), made.dimensions, seed=seed + 1)
        made.write_profiles(connection, [_profile(each, text) for each, text in zip(playlists, texts, strict=True)])
        index.build(connection, made, index.plan_build(connection, made))
        if attach:
            made.attach(connection)
    return made


def make_ready(database: Database, version: str) -> ModelVersion:
    """Embed a version that is only registered, and make it ready."""
    with database.transaction() as connection:
        versions.move(connection, version, Stage.EMBEDDING)
        registered = versions.get(connection, version)
    embed(database, registered)
    with database.transaction() as connection:
        versions.move(connection, version, Stage.READY)
    return registered


def make_live(database: Database, version: str) -> None:
    """Move the live pointer to a version that is ready or retained, without asking the gate."""
    with database.transaction() as connection:
        pointer.move(connection, version, expected=pointer.read(connection), action="promote", actor="tester")


def _profile(pending: PendingPlaylist, text: Vector) -> FreshProfile:
    text_hash = content_hash(render_playlist(pending.playlist))
    return FreshProfile(pending.playlist.playlist_id, pending.revision, text_hash, text)
