"""Contrastive fine-tuning with sentence-transformers' trainer, resumable after `kill -9`."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import PrinterCallback, TrainerCallback

from training.batches import BatchPlan, PlannedBatchSampler
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset, relevance
from training.metrics import RankingMetrics, evaluate_ranking
from training.splits import Split

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

_COMPLETE = "complete"


def _ignore_progress(done: int, total: int) -> None:
    """Progress reported to nobody."""


@dataclass(frozen=True)
class Prompts:
    """Instructions put before the texts of playlists and songs."""

    playlist: str = ""
    song: str = ""


@dataclass(frozen=True)
class FineTuned:
    """The outcome of a training: the folder of the best model and its figures on the development split."""

    folder: Path
    metrics: dict[str, float]


def fine_tune(
    base: Path,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    prompts: Prompts,
    folder: Path,
    *,
    on_progress: Progress = _ignore_progress,
) -> FineTuned:
    """Train a copy of the model in `base` on a dataset's training pairs; keep the best on the development pairs.

    Checkpoints go to `folder`; the same call after an interruption goes on from the last one.

    Args:
        base: folder of a sentence-transformers model, verified by the caller.
        folder: of this training alone.
        on_progress: told after every step.
    """
    model = _load(base, prompts)
    trainer = _trainer(model, dataset, configuration, prompts, folder, on_progress)
    checkpoint = _last_complete_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    metrics = DevelopmentEvaluator(dataset, prompts).measure(model)
    return FineTuned(_save(model, folder), {f"development_{name}": value for name, value in metrics.as_json().items()})


class DevelopmentEvaluator(BaseEvaluator):
    """Ranks the playlists of the training split for each song of the development split, by text alone."""

    def __init__(self, dataset: PairDataset, prompts: Prompts) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = "mrr"
        self.greater_is_better = True
        self._prompts = prompts
        pairs = dataset.select(Split.DEVELOPMENT)
        self._songs = sorted({pair.song_id for pair in pairs})
        self._playlists = sorted({pair.playlist_id for pair in pairs + dataset.select(Split.TRAIN)})
        self._song_texts = [dataset.song_text(each) for each in self._songs]
        self._playlist_texts = [dataset.playlist_text(each) for each in self._playlists]
        self._relevant = relevance([(pair.song_id, pair.playlist_id) for pair in pairs], self._songs, self._playlists)

    def __call__(  # type: ignore[override]
        self,
        model: SentenceTransformer,  # its trainer passes no other kind of model
        output_path: str | None = None,  # noqa: ARG002 - the base class's signature
        epoch: int = -1,  # noqa: ARG002
        steps: int = -1,  # noqa: ARG002
    ) -> dict[str, float]:
        """Return the metrics by name, as the trainer expects."""
        return self.measure(model).as_json()

    def measure(self, model: SentenceTransformer) -> RankingMetrics:
        """Return the metrics."""
        if not self._songs:
            return evaluate_ranking(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.bool_))
        encode: Any = model.encode
        options = {"normalize_embeddings": True, "show_progress_bar": False}
        songs = encode(self._song_texts, prompt=self._prompts.song, **options)
        playlists = encode(self._playlist_texts, prompt=self._prompts.playlist, **options)
        return evaluate_ranking(songs @ playlists.T, self._relevant)


class _Trainer(SentenceTransformerTrainer):
    plan: BatchPlan

    def get_batch_sampler(
        self, dataset: datasets.Dataset, batch_size: int, *_: object, seed: int = 0, **__: object
    ) -> PlannedBatchSampler:
        """Deal the pairs as planned."""
        return PlannedBatchSampler(dataset, self.plan, batch_size=batch_size, seed=seed)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave out sentence-transformers' model card: the artifact has this project's own (`model_card.py`)."""


class _Steps(TrainerCallback):
    """Reports steps, and marks a checkpoint as complete once all its files are written."""

    def __init__(self, on_progress: Progress) -> None:
        self._on_progress = on_progress

    def on_step_end(
        self,
        args: "TrainingArguments",  # noqa: ARG002 - the base class's signature
        state: "TrainerState",
        control: "TrainerControl",  # noqa: ARG002
        **_: object,
    ) -> None:
        self._on_progress(state.global_step, state.max_steps)

    def on_save(
        self,
        args: "TrainingArguments",
        state: "TrainerState",
        control: "TrainerControl",  # noqa: ARG002
        **_: object,
    ) -> None:
        checkpoint = Path(args.output_dir or "") / f"checkpoint-{state.global_step}"
        for path in filter(Path.is_file, checkpoint.rglob("*")):
            with path.open("rb") as file:
                os.fsync(file)
        (checkpoint / _COMPLETE).write_text(json.dumps(_sizes(checkpoint)))


def _load(base: Path, prompts: Prompts) -> SentenceTransformer:
    model = SentenceTransformer(
        str(base), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True}
    )
    # The trainer reads the prompts of its arguments, everybody else the model's: both must have them.
    model.prompts = {"query": prompts.playlist, "document": prompts.song}
    return model


def _trainer(
    model: SentenceTransformer,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    prompts: Prompts,
    folder: Path,
    on_progress: Progress,
) -> _Trainer:
    pairs = dataset.select(Split.TRAIN)
    plan = BatchPlan(dataset, configuration.batch_size, configuration.seed)
    develops = bool(dataset.select(Split.DEVELOPMENT))
    rows = {
        "anchor": [dataset.playlist_text(pair.playlist_id) for pair in pairs],
        "positive": [dataset.song_text(pair.song_id) for pair in pairs],
    }
    trainer = _Trainer(
        model=model,
        args=_arguments(configuration, prompts, folder, plan.length, develops=develops),
        train_dataset=datasets.Dataset.from_dict(rows),
        loss=MultipleNegativesRankingLoss(
            model, scale=configuration.scale, directions=("query_to_doc", "doc_to_query")
        ),
        evaluator=DevelopmentEvaluator(dataset, prompts),
        callbacks=[_Steps(on_progress)],
    )
    trainer.plan = plan
    trainer.remove_callback(PrinterCallback)  # stdout belongs to the command's result
    return trainer


def _arguments(
    configuration: TrainingConfiguration, prompts: Prompts, folder: Path, batches: int, *, develops: bool
) -> SentenceTransformerTrainingArguments:
    every = max(1, batches * configuration.epochs // configuration.checkpoints)
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=configuration.epochs,
        per_device_train_batch_size=configuration.batch_size,
        learning_rate=configuration.learning_rate,
        warmup_steps=configuration.warmup,
        weight_decay=configuration.weight_decay,
        prompts={"anchor": prompts.playlist, "positive": prompts.song},
        seed=configuration.seed,
        data_seed=configuration.seed,
        eval_strategy="steps" if develops else "no",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=develops,
        metric_for_best_model="mrr" if develops else None,
        greater_is_better=True if develops else None,
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _last_complete_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint that was neither half written nor half deleted; those that were are deleted."""
    complete = []
    for checkpoint in folder.glob("checkpoint-*"):
        if _is_complete(checkpoint):
            complete.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(complete, key=lambda each: int(each.name.removeprefix("checkpoint-")), default=None)


def _is_complete(checkpoint: Path) -> bool:
    mark = checkpoint / _COMPLETE
    try:
        sizes = json.loads(mark.read_text()) if mark.is_file() else None
    except ValueError:  # the mark itself was half written
        sizes = None
    return bool(sizes) and sizes == _sizes(checkpoint)


def _sizes(checkpoint: Path) -> dict[str, int]:
    """The size of each file of a checkpoint, but for the mark that holds them."""
    files = (path for path in checkpoint.rglob("*") if path.is_file() and path.name != _COMPLETE)
    return {path.relative_to(checkpoint).as_posix(): path.stat().st_size for path in sorted(files)}


def _save(model: SentenceTransformer, folder: Path) -> Path:
    target = folder / "model"
    shutil.rmtree(target, ignore_errors=True)
    model.save_pretrained(str(target), safe_serialization=True, create_model_card=False)
    return target
