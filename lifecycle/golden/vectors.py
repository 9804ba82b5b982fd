"""What a version knows of the catalogue: read from its vectors or, where it has none yet, encoded for the occasion."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lifecycle.dataset_vectors import SongEmotions, encode_texts, profile_of, tell_emotions
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import catalogue
from registry.database import Connection
from registry.emotion_scores import EmotionScores
from registry.records import CatalogueSnapshot, Song
from registry.texts import render_playlist, render_song
from registry.vectors.records import StoredProfile
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

if TYPE_CHECKING:
    from serving.inference.encoder import Encoder

Matrix = npt.NDArray[np.float32]

_SHORTEST = 0.5
"""A vector shorter than this, where all have length 1, is none."""


@dataclass(frozen=True)
class Known:
    """Playlists as a version knows them, ordered by id, and unit vectors of songs, by id.

    `aside` tells of songs that have no vector why that is. `emotions` are the songs', if the version matches by them.
    """

    profiles: Sequence[StoredProfile]
    vectors: Mapping[str, Matrix]
    aside: Mapping[str, str]
    emotions: SongEmotions | None = None


def known_to(
    workspace: Workspace, version: ModelVersion, songs: Sequence[Song], others: Collection[str], progress: Progress
) -> Known:
    """Every playlist, and the vectors of these songs and, by id, of others.

    A song that is new or changed is encoded now, as `autosort match` does; of the others only vectors on record count,
    as they do for the playlists' centroids. A version without vectors encodes the playlists and all their songs.

    Raises:
        ArtifactError: something must be encoded and the version's model is missing, unsafe or changed.
    """
    ids = {*others, *(song.song_id for song in songs)}
    with workspace.database.transaction() as connection:
        read = _on_record(connection, version, ids) or catalogue.snapshot(connection)
    if isinstance(read, CatalogueSnapshot):
        return _encoded(workspace, version, read, songs, progress)
    read = replace(read, emotions=_with_emotions(workspace, version, read.emotions, songs, progress))
    missing = [song for song in songs if song.song_id not in read.vectors and song.song_id not in read.aside]
    if not missing:
        return read
    fresh = _encode_songs(version, workspace.load_encoder(version.spec.embedder), missing, progress)
    known, aside = {**read.vectors, **fresh}, {**read.aside, **_without(missing, fresh)}
    return replace(read, vectors=known, aside=aside)


def _on_record(connection: Connection, version: ModelVersion, song_ids: Collection[str]) -> Known | None:
    """What the database holds of a version that is whole; None of any other."""
    vectors = VectorSet(version)
    state = vectors.state(connection)
    if state is None or not state.attached:
        return None
    ids = sorted(song_ids)
    aside = {song_id: f"set aside: {reason}" for song_id, reason in vectors.quarantined(connection, ids).items()}
    scores = EmotionScores.of(version.spec)
    emotions = SongEmotions(scores.model.labels, scores.read(connection, ids)) if scores else None
    return Known(vectors.profiles(connection), vectors.song_vectors(connection, ids), aside, emotions)


def _with_emotions(
    workspace: Workspace,
    version: ModelVersion,
    known: SongEmotions | None,
    songs: Collection[Song],
    progress: Progress,
) -> SongEmotions | None:
    """What is known of songs' emotions, and now of these songs too; None if the version does not match by them."""
    model, scores = version.spec.matched_emotions, known.scores if known else {}
    if model is None:
        return None
    if missing := [song for song in songs if song.song_id not in scores]:
        scores = {**scores, **tell_emotions(workspace.load_emotions(model), missing, progress).scores}
    return SongEmotions(model.labels, scores)


def _encoded(
    workspace: Workspace,
    version: ModelVersion,
    snapshot: CatalogueSnapshot,
    songs: Sequence[Song],
    progress: Progress,
) -> Known:
    """What a version makes of the catalogue: every playlist, every song that is in one, and these songs."""
    encoder = workspace.load_encoder(version.spec.embedder)
    members: dict[str, list[str]] = defaultdict(list)
    for each in snapshot.memberships:
        members[each.playlist_id].append(each.song_id)
    wanted = {song.song_id for song in songs}.union(*members.values())
    known = {song.song_id: song for song in snapshot.songs if song.song_id in wanted}
    vectors = _encode_songs(version, encoder, list(known.values()), progress)
    emotions = _with_emotions(workspace, version, None, known.values(), progress)
    embeddings = encoder.playlists([render_playlist(each, version.spec.text_template) for each in snapshot.playlists])
    profiles = [
        profile_of(
            StoredProfile(playlist, embedding, None, 0, {}),
            [known[each] for each in members[playlist.playlist_id]],
            vectors,
            emotions.scores if emotions else None,
        )
        for playlist, embedding in zip(snapshot.playlists, embeddings, strict=True)
    ]
    return Known(profiles, vectors, _without(songs, vectors), emotions)


def _encode_songs(
    version: ModelVersion, encoder: "Encoder", songs: Sequence[Song], progress: Progress
) -> dict[str, Matrix]:
    """Unit vectors of songs, by id; of a song of which the model makes none there is none."""
    with progress.task(f"Encoding songs for {version.version}", len(songs)) as advance:
        texts = [render_song(song, version.spec.text_template) for song in songs]
        vectors = encode_texts(encoder.songs, texts, advance)
    named = zip(songs, vectors, strict=True)
    return {song.song_id: vector for song, vector in named if np.linalg.norm(vector) > _SHORTEST}


def _without(songs: Sequence[Song], vectors: Mapping[str, Matrix]) -> dict[str, str]:
    return {song.song_id: "the model makes no vector of it" for song in songs if song.song_id not in vectors}
