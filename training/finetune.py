"""The fine-tuning, from a dataset and a base model to the model that is registered; resumable after `kill -9`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from sentence_transformers import SentenceTransformer

from registry.errors import TrainingError
from training.adapters import add_adapters, merged
from training.audit import audit, require_clean
from training.batches import plan_batches
from training.checkpoints import last_complete
from training.configuration import TrainingConfiguration
from training.development import Development
from training.examples import ExampleSource, ExampleTexts
from training.interpolation import Point, choose, interpolated, trace
from training.job import FineTuned, TrainingJob
from training.losses import contrastive_loss
from training.models import load_model, save_model
from training.negatives import hard_negatives
from training.reranker import fine_tune_reranker
from training.titles import SilentTitle, find_silent_titles
from training.trainer import (
    METRIC,
    Checkpoint,
    Log,
    PlannedTrainer,
    Progress,
    encoding_with,
    ignore_checkpoint,
    ignore_log,
    ignore_progress,
    make_trainer,
    settled_precision,
    training_arguments,
    world_size,
)

_RELOADED_WITHIN = 0.02
"""How far the best checkpoint, loaded again, may measure from what it measured in training; bf16 moves it a little."""


def fine_tune(
    job: TrainingJob,
    *,
    on_progress: Progress = ignore_progress,
    on_log: Log = ignore_log,
    on_checkpoint: Checkpoint = ignore_checkpoint,
) -> FineTuned | None:
    """Train a copy of the base model on the dataset's training pairs and save it to `folder/model`.

    Checkpoints go to `folder`; the same call after an interruption goes on from the last one. Kept is the checkpoint
    that is best on the development regimes, then the point between it and the base model that is best on them.

    Args:
        on_progress: told after every step; `on_log` when something was measured, `on_checkpoint` when a checkpoint is
            whole.

    Returns:
        The model; None in all but the main process, where several share the work.

    Raises:
        BadInput: something of the test is in the training split.
        TrainingError: the best checkpoint, loaded again, is not what it was.
    """
    begun = time.monotonic()
    require_clean(audit(job.dataset))
    model = load_model(job.base, job.prompts.playlist, job.prompts.song, device=job.device)
    precision = settled_precision(job.configuration, model.device.type)
    development = Development(job.dataset, job.prompts)
    shown = _shown(job, model, precision)
    trainer = _trainer(job, model, development, shown, precision, _Told(on_progress, on_log, on_checkpoint))
    checkpoint = last_complete(job.folder)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if not trainer.is_world_process_zero():
        return None
    if job.configuration.method == "lora":
        model = merged(model, job.base)
    points = _interpolate(job, model, development, precision)
    _require_reloaded(trainer, points[-1])
    record = _recorded(trainer, shown, points)
    folder = save_model(model, job.folder / "model")
    reranker = fine_tune_reranker(job, model, on_progress=on_progress) if job.configuration.reranker else None
    record["seconds"] = round(time.monotonic() - begun, 1)
    return FineTuned(folder, choose(points).development.as_json(), record, reranker)


@dataclass(frozen=True)
class _Told:
    """Who is told of a training while it runs."""

    on_progress: Progress
    on_log: Log
    on_checkpoint: Checkpoint


@dataclass(frozen=True)
class _Shown:
    """What the model is shown.

    Attributes:
        rows: texts in the order of their use, over all epochs; `batch_sizes` is how they fall into batches.
        negatives: how many hard negatives are known, by playlists.
    """

    rows: datasets.Dataset
    batch_sizes: Sequence[int]
    silent: Sequence[SilentTitle]
    negatives: int


def _shown(job: TrainingJob, model: SentenceTransformer, precision: str) -> _Shown:
    configuration = job.configuration
    silent = find_silent_titles(job.dataset, encoding_with(model, precision), job.prompts)
    negatives = hard_negatives(job.dataset, model, configuration, job.prompts)
    names = frozenset(each.playlist_id for each in silent)
    source = ExampleSource(job.dataset, configuration, negatives=negatives, silent=names)
    batches = plan_batches(
        source,
        epochs=configuration.epochs,
        batch_size=configuration.batch_size,
        seed=configuration.seed,
        processes=world_size(),
    )
    texts = ExampleTexts(job.dataset, job.prompts, configuration)
    rows = datasets.Dataset.from_dict(texts.columns(example for batch in batches for example in batch))
    return _Shown(rows, [len(batch) for batch in batches], silent, sum(map(len, negatives.values())))


def _trainer(
    job: TrainingJob,
    model: SentenceTransformer,
    development: Development,
    shown: _Shown,
    precision: str,
    told: _Told,
) -> PlannedTrainer:
    configuration = job.configuration
    guide = load_model(job.base, device=job.device) if configuration.guided else None
    choose_trained_weights(model, configuration)
    steps = len(shown.batch_sizes) // world_size()
    return make_trainer(
        model,
        contrastive_loss(model, configuration, guide),
        shown.rows,
        shown.batch_sizes,
        configuration,
        development,
        training_arguments(
            configuration,
            job.folder,
            steps,
            device=model.device.type,
            precision=precision,
            develops=bool(development),
        ),
        on_progress=told.on_progress,
        on_log=told.on_log,
        on_checkpoint=told.on_checkpoint,
    )


def choose_trained_weights(model: SentenceTransformer, configuration: TrainingConfiguration) -> None:
    """Freeze what a configuration does not train, and add adapters if it trains those instead."""
    encoder: Any = model.transformers_model
    if configuration.method == "lora":
        add_adapters(model, configuration)
    elif configuration.freeze_word_embeddings:
        encoder.get_input_embeddings().requires_grad_(requires_grad=False)
    if getattr(encoder, "pooler", None) is not None:
        # Mean pooling passes it by; several processes would wait for its gradients for ever.
        encoder.pooler.requires_grad_(requires_grad=False)


def _interpolate(job: TrainingJob, model: SentenceTransformer, development: Development, precision: str) -> list[Point]:
    """Trace the way from the base model to the tuned one, its end included, and leave the model at the point chosen."""
    base = load_model(job.base, device=model.device.type).state_dict()
    tuned = {name: value.detach().clone() for name, value in model.state_dict().items()}
    points = trace(model, base, job.configuration.coefficients, development, encoding_with(model, precision))
    model.load_state_dict(interpolated(base, tuned, choose(points).coefficient))
    return points


def _require_reloaded(trainer: PlannedTrainer, tuned: Point) -> None:
    """Compare what was loaded as the best checkpoint with it: the trainer only logs when it could not load it."""
    best = trainer.state.best_metric
    if best is not None and abs(tuned.development.mean - best) > _RELOADED_WITHIN:
        raise TrainingError(
            f"The best checkpoint measured {best:.4f} in training and {tuned.development.mean:.4f} when it was loaded "
            "again.",
            "Delete the run's folder and train again.",
        )


def _recorded(trainer: PlannedTrainer, shown: _Shown, points: Sequence[Point]) -> dict[str, Any]:
    return {
        "history": _history(trainer.state.log_history),
        "interpolation": [point.as_json() for point in points],
        "chosen_coefficient": choose(points).coefficient,
        "silent_titles": [each.as_json() for each in shown.silent],
        "hard_negatives": shown.negatives,
        "rows": len(shown.rows),
        "batches": len(shown.batch_sizes),
        "processes": world_size(),
        "steps": trainer.state.global_step,
        "planned_steps": trainer.state.max_steps,
        "precision": "bf16" if trainer.args.bf16 else "fp32",
        "device": trainer.args.device.type,
    }


def _history(log: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """What was logged, one entry a step: the loss, the learning rate, what the development regimes gave."""
    steps: dict[int, dict[str, float]] = {}
    for entry in log:
        at = steps.setdefault(entry["step"], {"step": entry["step"]})
        at |= {name.removeprefix("eval_"): round(entry[name], 6) for name in entry if name in _LOGGED}
    return [each for _, each in sorted(steps.items()) if len(each) > 1]


_LOGGED = ("loss", "learning_rate", "eval_development_mrr", "eval_development_playlist_mrr", f"eval_{METRIC}")
