"""The second stage: a cross-encoder, fine-tuned on the same pairs, that reads a playlist and a song together."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from transformers import PrinterCallback, TrainerCallback

from training.checkpoints import last_complete
from training.configuration import RERANKER_MAX_LENGTH
from training.dataset import PairDataset
from training.job import TrainingJob
from training.negatives import hard_negatives
from training.trainer import Progress, StepsCallback, ignore_log, ignore_progress, settled_precision

_NEGATIVES = 4


def fine_tune_reranker(
    job: TrainingJob, embedder: SentenceTransformer, *, on_progress: Progress = ignore_progress
) -> Path:
    """Train a cross-encoder from the base model's encoder on the training pairs and save it to `folder/reranker`.

    Every pair is shown beside four songs that the fine-tuned embedder takes for near the playlist and that are not
    known to belong there.

    Args:
        embedder: the fine-tuned model of the version that the reranker is for.

    Returns:
        Its folder.
    """
    model = CrossEncoder(
        str(job.base), num_labels=1, max_length=RERANKER_MAX_LENGTH, device=job.device, local_files_only=True
    )
    trainer = _trainer(job, model, _rows(job, embedder), on_progress)
    checkpoint = last_complete(job.folder / "reranker-checkpoints")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    folder = job.folder / "reranker"
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    return folder


def _rows(job: TrainingJob, embedder: SentenceTransformer) -> datasets.Dataset:
    mining = job.configuration.model_copy(update={"hard_negatives": _NEGATIVES})
    negatives = hard_negatives(job.dataset, embedder, mining, job.prompts)
    chance = random.Random(f"reranker:{job.configuration.seed}")  # noqa: S311 - reproducible, not secret
    rows: dict[str, list[Any]] = {"playlist": [], "song": [], "label": []}
    for pair in job.dataset.trained_on():
        known = negatives.get(pair.playlist_id, [])
        wrong = chance.sample(known, min(_NEGATIVES, len(known)))
        _add(rows, job.dataset, pair.playlist_id, [pair.song_id, *wrong])
    return datasets.Dataset.from_dict(rows).shuffle(seed=job.configuration.seed)


def _add(rows: Mapping[str, list[Any]], dataset: PairDataset, playlist_id: str, song_ids: Sequence[str]) -> None:
    """One row a song, of which the first alone belongs to the playlist."""
    rows["playlist"].extend([dataset.playlist_text(playlist_id)] * len(song_ids))
    rows["song"].extend(dataset.song_text(each) for each in song_ids)
    rows["label"].extend([1.0] + [0.0] * (len(song_ids) - 1))


def _trainer(
    job: TrainingJob, model: CrossEncoder, rows: datasets.Dataset, on_progress: Progress
) -> CrossEncoderTrainer:
    configuration = job.configuration
    batch_size = min(configuration.batch_size, 64)
    every = max(1, len(rows) // batch_size // 2)
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(job.folder / "reranker-checkpoints"),
        num_train_epochs=1,
        per_device_train_batch_size=batch_size,
        learning_rate=configuration.learning_rate,
        warmup_steps=configuration.warmup,
        weight_decay=configuration.weight_decay,
        use_cpu=model.device.type == "cpu",
        bf16=settled_precision(configuration, model.device.type) == "bf16",
        seed=configuration.seed,
        data_seed=configuration.seed,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    loss = BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(float(_NEGATIVES)))
    callbacks: list[TrainerCallback] = [StepsCallback(on_progress, ignore_log)]
    trainer = _QuietTrainer(model=model, args=arguments, train_dataset=rows, loss=loss, callbacks=callbacks)
    trainer.remove_callback(PrinterCallback)  # stdout belongs to the command's result
    return trainer


class _QuietTrainer(CrossEncoderTrainer):
    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave out sentence-transformers' model card: the artifact has this project's own."""
