"""Evaluating a version on a labelled file, of which nothing is added to the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.dataset_vectors import EncodedDataset, SongEmotions, encode_texts, tell_emotions
from lifecycle.evaluation import Regime, Report, build_report
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import versions
from registry.database import Connection
from registry.errors import BadInput
from registry.imports.reader import Row, read_library
from registry.records import Membership, Playlist, Song
from registry.texts import render_playlist, render_song
from registry.vectors.records import StoredProfile
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion
from serving.matching.index import PlaylistIndex
from training.dataset import relevance
from training.splits import Split

if TYPE_CHECKING:
    from serving.inference.encoder import Encoder


def evaluate_file(workspace: Workspace, name: str, path: Path, progress: Progress) -> Report:
    """Evaluate a version on a labelled file, of which nothing is added to the catalogue.

    Playlists of the file that the catalogue holds are known ones; of the others only the text is used.

    Raises:
        BadInput: the file holds no song of a playlist.
    """
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
        profiles = VectorSet(version).profiles(connection) if _has_vectors(connection, version) else []
    library = _read_labelled(path)
    encoder = workspace.load_encoder(version.spec.embedder)
    felt = version.spec.matched_emotions
    emotions = tell_emotions(workspace.load_emotions(felt), library.songs.values(), progress) if felt else None
    regimes = _file_regimes(version, library, profiles, encoder, emotions, progress)
    return build_report(name, version.spec.matching, regimes)


@dataclass
class _Labelled:
    songs: dict[str, Song]
    playlists: dict[str, Playlist]
    holding: set[tuple[str, str]]


def _read_labelled(path: Path) -> _Labelled:
    library = _Labelled({}, {}, set())
    for entry in read_library(path):
        match entry:
            case Row(record=Song() as song):
                library.songs[song.song_id] = song
            case Row(record=Playlist() as playlist):
                library.playlists[playlist.playlist_id] = playlist
            case Row(record=Membership() as membership):
                library.holding.add((membership.song_id, membership.playlist_id))
    if not library.songs or not library.holding:
        raise BadInput(f"{path} holds no song of a playlist.", "Give songs, playlists and memberships in one file.")
    return library


def _file_regimes(
    version: ModelVersion,
    library: _Labelled,
    profiles: Sequence[StoredProfile],
    encoder: "Encoder",
    emotions: SongEmotions | None,
    progress: Progress,
) -> list[Regime]:
    template, spec = version.spec.text_template, version.spec.matching
    songs = sorted(library.songs)
    with progress.task(f"Encoding the songs for {version.version}", len(songs)) as advance:
        texts = [render_song(library.songs[each], template) for each in songs]
        vectors = dict(zip(songs, encode_texts(encoder.songs, texts, advance), strict=True))
    encoded = EncodedDataset(vectors, {}, version.spec.embedder.dimensions, emotions)
    known = {each.playlist.playlist_id for each in profiles}
    unseen = [library.playlists[each] for each in sorted(library.playlists) if each not in known]
    embeddings = encoder.playlists([render_playlist(each, template) for each in unseen])
    strangers = [StoredProfile(*each, None, 0, {}) for each in zip(unseen, embeddings, strict=True)]
    regimes = []
    for split, candidates in ((Split.UNSEEN_SONG, profiles), (Split.UNSEEN_PLAYLIST, strangers)):
        index = PlaylistIndex.build(candidates, spec, version.spec.embedder.dimensions)
        ids = [each.playlist_id for each in index.playlists]
        among = [(song, playlist) for song, playlist in sorted(library.holding) if playlist in set(ids)]
        held = sorted({song for song, _ in among} & vectors.keys())
        if held:
            relevant = relevance(among, held, ids)
            asked = encoded.asked([library.songs[each] for each in held])
            regimes.append(Regime(split.value, asked, index, relevant))
    return regimes


def _has_vectors(connection: Connection, version: ModelVersion) -> bool:
    state = VectorSet(version).state(connection)
    return state is not None and state.attached
