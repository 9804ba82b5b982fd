"""The scales of a new version's signals, measured on the pairs that its model may look at."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from lifecycle.dataset_vectors import EncodedDataset, training_profiles
from registry.versions import EmotionScale, MatchSpec
from serving.matching.calibration import calibrate, measure_emotions, measure_features, measure_sounds, uncalibrated
from serving.matching.index import PlaylistIndex
from serving.matching.signals.asked import Matrix
from serving.matching.signals.names import PAYING_SIGNALS
from training.dataset import PairDataset, relevance
from training.splits import Split

_SONGS = 500
_PLAYLISTS = 300


def training_sample(dataset: PairDataset) -> PairDataset:
    """A repeatable sample of a dataset's training pairs: up to 500 songs and 300 playlists."""
    pairs = dataset.select(Split.TRAIN)
    songs = _sample({pair.song_id for pair in pairs}, _SONGS)
    playlists = _sample({pair.playlist_id for pair in pairs if pair.song_id in songs}, _PLAYLISTS)
    return replace(
        dataset,
        songs={each: song for each, song in dataset.songs.items() if each in songs},
        playlists={each: playlist for each, playlist in dataset.playlists.items() if each in playlists},
        pairs=tuple(pair for pair in pairs if pair.song_id in songs and pair.playlist_id in playlists),
    )


def calibrated_matching(
    sample: PairDataset, vectors: EncodedDataset, signals: Sequence[str] = PAYING_SIGNALS
) -> MatchSpec:
    """The heuristic weights, with scales measured on a sample of training pairs and a model's vectors of it."""
    songs = [sample.songs[each] for each in sample.songs]
    profiles = training_profiles(sample, vectors, list(sample.playlists))
    sounds = measure_sounds(songs, ([member.song for member in each.members] for each in profiles))
    asked = vectors.asked(songs)
    emotions = emotion_scales(vectors, asked.emotions)
    spec = uncalibrated(measure_features(songs), sounds, emotions, signals=signals, template=sample.template)
    index = PlaylistIndex.build(profiles, spec, vectors.dimensions)
    holding = [(pair.song_id, pair.playlist_id) for pair in sample.pairs]
    belongs = relevance(holding, list(sample.songs), list(sample.playlists))
    return calibrate(asked.vectors, songs, index, belongs, spec, asked.emotions)


def emotion_scales(vectors: EncodedDataset, scores: Matrix | None) -> tuple[EmotionScale, ...]:
    """The scales of emotions over songs with these scores; none if nobody matches by them."""
    return () if vectors.emotions is None or scores is None else measure_emotions(vectors.emotions.labels, scores)


def _sample(ids: set[str], size: int) -> set[str]:
    return set(sorted(ids, key=lambda each: sha256(each.encode()).digest())[:size])
