"""A dataset in the space of one model: its songs, its playlists, and the profiles that its training pairs make."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lifecycle.progress import Advance, Progress
from registry.records import Song
from registry.texts import render_feeling, render_playlist, render_song
from registry.vectors.records import MOST_MEMBERS, Member, StoredProfile
from serving.matching.signals.asked import AskedSongs
from serving.matching.signals.sound import features_of
from training.dataset import PairDataset
from training.splits import Split

if TYPE_CHECKING:
    from serving.inference.emotions import EmotionModel
    from serving.inference.encoder import Encoder

Matrix = npt.NDArray[np.float32]

_ENCODE_AT_ONCE = 256


@dataclass(frozen=True)
class SongEmotions:
    """What an emotion model says of songs: a score from 0 to 1 for each of its labels, by the song's id."""

    labels: tuple[str, ...]
    scores: Mapping[str, Matrix]

    def of_songs(self, song_ids: Sequence[str]) -> Matrix:
        """Scores of these songs, shape (n, labels); NaN for those that were not scored."""
        unknown = np.full(len(self.labels), np.nan, np.float32)
        rows = [self.scores.get(each, unknown) for each in song_ids]
        return np.array(rows, np.float32).reshape(len(rows), len(self.labels))


@dataclass(frozen=True)
class EncodedDataset:
    """A dataset's songs and playlists as unit vectors of one model, by id.

    Attributes:
        emotions: of the songs, if a version is to match by them.
    """

    songs: Mapping[str, Matrix]
    playlists: Mapping[str, Matrix]
    dimensions: int
    emotions: "SongEmotions | None" = None

    def asked(self, songs: Sequence[Song]) -> AskedSongs:
        """Songs to be matched, with what is known of them."""
        ids = [song.song_id for song in songs]
        return AskedSongs(songs, self.of_songs(ids), self.emotions.of_songs(ids) if self.emotions else None)

    def of_songs(self, song_ids: Sequence[str]) -> Matrix:
        """Vectors of these songs, shape (n, dimensions)."""
        return np.array([self.songs[each] for each in song_ids], np.float32).reshape(-1, self.dimensions)


def encode_dataset(
    encoder: "Encoder", dataset: PairDataset, progress: Progress, *, label: str, template: int | None = None
) -> EncodedDataset:
    """Encode every song and playlist of a dataset.

    Args:
        template: that of the version which encodes, if it is not the dataset's.
    """
    template = template or dataset.template
    song_texts = [render_song(each, template) for each in dataset.songs.values()]
    with progress.task(label, len(song_texts)) as advance:
        song_vectors = encode_texts(encoder.songs, song_texts, advance)
    playlist_vectors = encoder.playlists([render_playlist(each, template) for each in dataset.playlists.values()])
    return EncodedDataset(
        dict(zip(dataset.songs, song_vectors, strict=True)),
        dict(zip(dataset.playlists, playlist_vectors, strict=True)),
        encoder.spec.dimensions,
    )


def tell_emotions(
    model: "EmotionModel", songs: Collection[Song], progress: Progress, *, label: str = "Telling the emotions of songs"
) -> SongEmotions:
    """What a model says of songs."""
    texts = [render_feeling(each, model.spec.text_template) for each in songs]
    with progress.task(label, len(texts)) as advance:
        scores = encode_texts(lambda page: model.read(page).scores, texts, advance)
    return SongEmotions(model.spec.labels, {song.song_id: row for song, row in zip(songs, scores, strict=True)})


def training_profiles(
    dataset: PairDataset,
    vectors: EncodedDataset,
    playlist_ids: Sequence[str],
    *,
    without: Collection[str] = (),
) -> list[StoredProfile]:
    """Playlists as their training songs alone make them: what is tested has no part in them.

    Args:
        without: songs that are left out as well.
    """
    members: dict[str, list[str]] = {}
    for pair in dataset.select(Split.TRAIN):
        if pair.song_id not in without:
            members.setdefault(pair.playlist_id, []).append(pair.song_id)
    profiles = (StoredProfile(dataset.playlists[each], vectors.playlists[each], None, 0, {}) for each in playlist_ids)
    return [
        profile_of(
            each,
            [dataset.songs[song] for song in members.get(each.playlist.playlist_id, [])],
            vectors.songs,
            vectors.emotions.scores if vectors.emotions else None,
        )
        for each in profiles
    ]


def profile_of(
    profile: StoredProfile,
    songs: Sequence[Song],
    vectors: Mapping[str, Matrix],
    emotions: Mapping[str, Matrix] | None = None,
) -> StoredProfile:
    """A playlist's profile as these songs alone would make it; songs without a vector lend it their sound only."""
    felt = emotions or {}
    known = [vectors[song.song_id] for song in songs if song.song_id in vectors]
    total = np.array(known, np.float32).sum(axis=0) if known else None
    features = [features_of(song.audio_features) for song in songs]
    names = {name for each in features for name in each}
    return replace(
        profile,
        centroid=None if total is None else np.asarray(total / np.linalg.norm(total), np.float32),
        song_count=len(songs),
        acoustic={name: fmean(each[name] for each in features if name in each) for name in sorted(names)},
        members=tuple(Member(song, vectors.get(song.song_id), felt.get(song.song_id)) for song in songs[:MOST_MEMBERS]),
    )


def encode_texts(encode: Callable[[Sequence[str]], Matrix], texts: Sequence[str], advance: Advance) -> Matrix:
    """Encode texts page by page, so that the progress is seen."""
    pages = []
    for start in range(0, len(texts), _ENCODE_AT_ONCE):
        pages.append(encode(texts[start : start + _ENCODE_AT_ONCE]))
        advance(min(start + _ENCODE_AT_ONCE, len(texts)))
    return np.concatenate(pages)
