"""Hard negatives: songs that look as if they belonged to a playlist and are not known to."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import datasets
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from training.configuration import TrainingConfiguration
from training.dataset import LabelledPair, PairDataset
from training.examples import Negatives, Prompts, known_holders
from training.splits import Split

_CANDIDATES = 50
_NEGATIVES = 10
_PAIRS = 20


def hard_negatives(
    dataset: PairDataset, model: SentenceTransformer, configuration: TrainingConfiguration, prompts: Prompts
) -> dict[str, list[str]]:
    """By playlist id, songs that must come out as negatives: explicit rejections, and those mined with a model.

    A song that a near-duplicate of it, or any split, makes a known positive of the playlist is never among them.
    Explicit rejections are used even if the configuration asks for no mining.
    """
    trained = {pair.song_id for pair in dataset.select(Split.TRAIN)} - dataset.weighing
    found: dict[str, list[str]] = defaultdict(list)
    for rejection in dataset.rejections:
        if rejection.song_id in trained:
            found[rejection.playlist_id].append(rejection.song_id)
    if configuration.hard_negatives:
        for playlist_id, songs in _mined(dataset, model, configuration, prompts).items():
            found[playlist_id] += songs
    return without_known_positives(found, known_holders(dataset))


def without_known_positives(negatives: Negatives, holders: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """The same negatives but for those that the playlist is known to hold, each once, in their order."""
    kept = {
        playlist_id: [song for song in dict.fromkeys(songs) if playlist_id not in holders[song]]
        for playlist_id, songs in negatives.items()
    }
    return {playlist_id: songs for playlist_id, songs in kept.items() if songs}


def _mined(
    dataset: PairDataset, model: SentenceTransformer, configuration: TrainingConfiguration, prompts: Prompts
) -> dict[str, list[str]]:
    """Songs of the training split that the model takes for near a playlist.

    At most (1 - relative margin) times as near as a song that is truly of it; up to ten for each of its pairs.
    """
    pairs = _some_of_each(dataset.trained_on())
    trained = sorted({pair.song_id for pair in dataset.select(Split.TRAIN)} - dataset.weighing)
    songs = {dataset.song_text(each): each for each in trained}
    playlists = {dataset.playlist_text(each): each for each in sorted({pair.playlist_id for pair in pairs})}
    rows = {
        "anchor": [dataset.playlist_text(pair.playlist_id) for pair in pairs],
        "positive": [dataset.song_text(pair.song_id) for pair in pairs],
    }
    mined = mine_hard_negatives(
        datasets.Dataset.from_dict(rows),
        model,
        corpus=list(songs),
        range_max=min(_CANDIDATES, len(songs) - 1),
        relative_margin=configuration.relative_margin,
        num_negatives=min(_NEGATIVES, len(songs) - 1),
        sampling_strategy="top",
        query_prompt=prompts.playlist or None,
        corpus_prompt=prompts.song or None,
        output_format="triplet",
        verbose=False,
    )
    found: dict[str, list[str]] = defaultdict(list)
    for anchor, negative in zip(mined["anchor"], mined["negative"], strict=True):
        found[playlists[anchor]].append(songs[negative])
    return found


def _some_of_each(pairs: Sequence[LabelledPair]) -> list[LabelledPair]:
    """Up to twenty pairs of each playlist: what they would mine is the same."""
    taken: Counter[str] = Counter()
    some = []
    for pair in pairs:
        if taken[pair.playlist_id] < _PAIRS:
            taken[pair.playlist_id] += 1
            some.append(pair)
    return some
