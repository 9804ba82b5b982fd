"""The training command, on a few dozen made-up texts and a small encoder."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.emotion_texts import PHRASES, write_emotion_texts
from tests.support.small_classifiers import small_encoder
from training.emotions.adapter import merge_adapter
from training.emotions.fine_tune import EmotionTraining, TrainedEmotions, score, train_emotions
from training.emotions.thresholds import Quality

RECIPE = EmotionTraining(epochs=16, learning_rate=0.005, rank=4, batch_size=16)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_encoder(tmp_path_factory.mktemp("base") / "encoder")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_emotion_texts(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedEmotions:
    return train_emotions(base, "small 1", data, tmp_path_factory.mktemp("out") / "made", RECIPE)


def test_it_learns_what_the_texts_tell(trained: TrainedEmotions) -> None:
    assert trained.quality.macro_f1 > 0.95
    assert trained.labels == tuple(PHRASES)


def test_its_file_says_how_it_was_made_and_how_good_it_is(trained: TrainedEmotions) -> None:
    facts = json.loads((trained.folder / "emotions.json").read_text())
    assert facts["base_model"] == "small 1"
    assert facts["labels"] == list(PHRASES)
    assert facts["thresholds"] == list(trained.thresholds)
    assert facts["macro_f1"] == round(trained.quality.macro_f1, 4)
    assert facts["quality"]["fear"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 14}
    assert facts["texts"]["trained_on"] + facts["texts"]["thresholds_on"] == 252
    assert facts["recipe"]["epochs"] == 16


def test_the_merged_model_does_what_was_measured(trained: TrainedEmotions, base: Path, tmp_path: Path) -> None:
    merge_adapter(base, trained.folder, tmp_path)
    texts = [phrase.format("a stranger") for phrase in PHRASES.values()]
    quality = Quality.measure(score(tmp_path, texts, 64), trained.thresholds, np.eye(3, dtype=bool))
    assert quality.macro_f1 == 1


def test_the_same_seed_gives_the_same_adapter(base: Path, data: Path, tmp_path: Path) -> None:
    quick = EmotionTraining(epochs=1, rank=2, batch_size=64)
    for name in "ab":
        train_emotions(base, "small 1", data, tmp_path / name, quick)
    first, second = ((tmp_path / name / "adapter.safetensors").read_bytes() for name in "ab")
    assert first == second
