"""The scales of a new version's signals, measured on the pairs that its model may look at."""

from dataclasses import replace
from hashlib import sha256

from lifecycle.dataset_vectors import EncodedDataset, training_profiles
from registry.versions import MatchSpec
from serving.matching.calibration import calibrate, measure_features, measure_sounds, uncalibrated
from serving.matching.index import PlaylistIndex
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


def calibrated_matching(sample: PairDataset, vectors: EncodedDataset) -> MatchSpec:
    """The heuristic weights, with scales measured on a sample of training pairs and a model's vectors of it."""
    songs = [sample.songs[each] for each in sample.songs]
    profiles = training_profiles(sample, vectors, list(sample.playlists))
    sounds = measure_sounds(songs, ([member.song for member in each.members] for each in profiles))
    spec = uncalibrated(measure_features(songs), sounds, template=sample.template)
    index = PlaylistIndex.build(profiles, spec, vectors.dimensions)
    holding = [(pair.song_id, pair.playlist_id) for pair in sample.pairs]
    belongs = relevance(holding, list(sample.songs), list(sample.playlists))
    return calibrate(vectors.of_songs(list(sample.songs)), songs, index, belongs, spec)


def _sample(ids: set[str], size: int) -> set[str]:
    return set(sorted(ids, key=lambda each: sha256(each.encode()).digest())[:size])
