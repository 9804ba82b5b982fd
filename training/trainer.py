"""sentence-transformers' trainer as this project runs it: planned batches, quiet, checkpoints marked when whole."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.evaluation import BaseEvaluator
from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback

from training.batches import PlannedBatchSampler
from training.checkpoints import mark_complete
from training.configuration import TrainingConfiguration
from training.development import Development, Encode

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

Log = Callable[[int, dict[str, float]], None]
"""Called with a step and what was measured there."""

Checkpoint = Callable[[], None]
"""Called when a checkpoint is whole on this disk, which may be a copy that has to be kept."""

METRIC = "development_mean"


def ignore_progress(done: int, total: int) -> None:
    """Progress reported to nobody."""


def ignore_log(step: int, figures: dict[str, float]) -> None:
    """Figures reported to nobody."""


def ignore_checkpoint() -> None:
    """A checkpoint that is kept where it is written."""


class PlannedTrainer(SentenceTransformerTrainer):
    """Trains on batches whose sizes were planned; the rows lie in the order in which they are used."""

    batch_sizes: Sequence[int] = ()

    def get_batch_sampler(self, dataset: datasets.Dataset, *_: object, **__: object) -> PlannedBatchSampler:
        """The batches as planned."""
        return PlannedBatchSampler(dataset, self.batch_sizes)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave out sentence-transformers' model card: the artifact has this project's own (`model_card.py`)."""


class DevelopmentEvaluator(BaseEvaluator):
    """Measures the development regimes when the trainer asks for it."""

    def __init__(self, development: Development, precision: str = "fp32") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = METRIC
        self.greater_is_better = True
        self._development = development
        self._precision = precision

    def __call__(  # type: ignore[override]
        self,
        model: SentenceTransformer,  # its trainer passes no other kind of model
        output_path: str | None = None,  # noqa: ARG002 - the base class's signature
        epoch: int = -1,  # noqa: ARG002
        steps: int = -1,  # noqa: ARG002
    ) -> dict[str, float]:
        """The metrics by name, as the trainer expects."""
        return self._development.measure(encoding_with(model, self._precision)).as_json()


def encoding_with(model: SentenceTransformer, precision: str = "fp32") -> Encode:
    """How the present weights of a model encode texts that have their prompts already.

    Args:
        precision: "bf16" halves the time where the hardware computes in it, and moves a cosine by less than 0.01.
    """

    def encode(texts: Sequence[str]) -> Any:  # noqa: ANN401 - sentence-transformers does not say
        with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
            vectors: Any = model.encode(list(texts), prompt="", normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    return encode


class StepsCallback(TrainerCallback):
    """Reports steps and figures, and marks a checkpoint as complete once all its files are written."""

    def __init__(self, on_progress: Progress, on_log: Log, on_checkpoint: Checkpoint = ignore_checkpoint) -> None:
        self._on_progress = on_progress
        self._on_log = on_log
        self._on_checkpoint = on_checkpoint

    def on_step_end(
        self,
        args: "TrainingArguments",  # noqa: ARG002 - the base class's signature
        state: "TrainerState",
        control: "TrainerControl",  # noqa: ARG002
        **_: object,
    ) -> None:
        if state.is_world_process_zero:
            self._on_progress(state.global_step, state.max_steps)

    def on_log(
        self,
        args: "TrainingArguments",  # noqa: ARG002
        state: "TrainerState",
        control: "TrainerControl",  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if state.is_world_process_zero and figures:
            self._on_log(state.global_step, figures)

    def on_save(
        self,
        args: "TrainingArguments",
        state: "TrainerState",
        control: "TrainerControl",  # noqa: ARG002
        **_: object,
    ) -> None:
        if state.is_world_process_zero:
            mark_complete(Path(args.output_dir or "") / f"checkpoint-{state.global_step}")
            self._on_checkpoint()


def make_trainer(
    model: SentenceTransformer,
    loss: nn.Module,
    rows: datasets.Dataset,
    batch_sizes: Sequence[int],
    configuration: TrainingConfiguration,
    development: Development,
    arguments: SentenceTransformerTrainingArguments,
    *,
    on_progress: Progress,
    on_log: Log,
    on_checkpoint: Checkpoint = ignore_checkpoint,
) -> PlannedTrainer:
    """The trainer over rows that were dealt into batches of these sizes.

    Args:
        on_progress: told after every step, by the main process alone; `on_log` when something was measured,
            `on_checkpoint` when a checkpoint is whole.
    """
    callbacks: list[TrainerCallback] = [StepsCallback(on_progress, on_log, on_checkpoint)]
    if development and configuration.patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=configuration.patience))
    trainer = PlannedTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        loss=loss,
        evaluator=DevelopmentEvaluator(development, "bf16" if arguments.bf16 else "fp32"),
        callbacks=callbacks,
    )
    trainer.batch_sizes = batch_sizes
    trainer.remove_callback(PrinterCallback)  # stdout belongs to the command's result
    return trainer


def training_arguments(
    configuration: TrainingConfiguration, folder: Path, steps: int, *, device: str, precision: str, develops: bool
) -> SentenceTransformerTrainingArguments:
    """The trainer's arguments for a configuration.

    Args:
        steps: of the whole training: the rows are those of all epochs, so the trainer makes one pass over them.
        precision: "bf16" or "fp32".
        develops: whether there is a development split to choose the best checkpoint by.
    """
    every = max(1, steps // configuration.checkpoints)
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=configuration.batch_size,
        learning_rate=configuration.learning_rate,
        warmup_steps=configuration.warmup,
        weight_decay=configuration.weight_decay,
        bf16=precision == "bf16",
        use_cpu=device == "cpu",
        ddp_backend="gloo" if device == "cpu" and world_size() > 1 else None,
        seed=configuration.seed,
        data_seed=configuration.seed,
        eval_strategy="steps" if develops else "no",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=develops,
        metric_for_best_model=METRIC if develops else None,
        greater_is_better=True if develops else None,
        report_to=[],
        disable_tqdm=True,
        logging_strategy="steps",
        logging_steps=max(1, steps // 40),
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )


def world_size() -> int:
    """How many processes share the training, as torchrun tells each of them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def settled_precision(configuration: TrainingConfiguration, device: str) -> str:
    """What "auto" means on a device: bf16 where the hardware computes in it, else fp32.

    A CPU without AMX or AVX512-BF16 emulates bf16: 80 times slower than fp32 on one that was measured.
    """
    if configuration.precision != "auto":
        return configuration.precision
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    features = torch.cpu.get_capabilities() if device == "cpu" else {}
    return "bf16" if features.get("amx_bf16") or features.get("avx512_bf16") else "fp32"
