"""The retraining: catalogue to dataset to fine-tuned model to registered, evaluated and embedded version.

Every step is named by the digest of what goes into it, so the same command after a kill goes on where it stopped and
ends as if nothing had happened; run again on the same data it finds its version registered.
"""

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from lifecycle.base_version import ensure_base_version
from lifecycle.calibration import calibrated_matching, training_sample
from lifecycle.evaluation import Report, encode_dataset, evaluate_dataset, evaluate_version
from lifecycle.progress import Progress
from lifecycle.reconcile import reconcile_all
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.database import actor
from registry.errors import AlreadyRunning, Refused
from registry.stages import GIVEN_UP
from registry.versions import ModelSpec, ModelVersion, TrainingSpec
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset, build_dataset

if TYPE_CHECKING:
    from training.finetune import FineTuned

DISTRIBUTION = "autosort-lifecycle"


@dataclass(frozen=True)
class Retrained:
    """The version that a retraining made or, if the same was trained before, found."""

    version: ModelVersion
    found: bool
    dataset: PairDataset
    evaluation: Report
    live: str
    live_evaluation: Report


def retrain(
    workspace: Workspace, configuration: TrainingConfiguration, progress: Progress, *, reembed: bool = True
) -> Retrained:
    """Fine-tune the base model on the catalogue as it is and register the outcome as the next version.

    Args:
        reembed: also embed the catalogue for it, so that it can be promoted.

    Raises:
        BadInput: the catalogue holds too little to learn from.
        AlreadyRunning: another retraining runs on this machine.
        Refused: the same training was done before and its version was given up.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(workspace.runs / "retrain.lock")
    try:
        with lock.acquire(timeout=0):
            return _retrain(workspace, configuration, progress, reembed=reembed)
    except Timeout:
        raise AlreadyRunning(
            f"Another retraining is running in {workspace.runs}.", "Wait for it, or end it; then run this again."
        ) from None


def _retrain(
    workspace: Workspace, configuration: TrainingConfiguration, progress: Progress, *, reembed: bool
) -> Retrained:
    base = ensure_base_version(workspace, progress)
    with workspace.database.transaction() as connection:
        dataset = build_dataset(catalogue.snapshot(connection), base.spec.text_template)
    dataset.save(workspace.datasets)
    progress.say(f"Dataset {dataset.fingerprint[:12]}: " + ", ".join(f"{n} {s}" for s, n in dataset.counts().items()))
    recipe = recipe_of(base, dataset, configuration)
    with workspace.database.transaction() as connection:
        known = versions.find_recipe(connection, recipe)
    if known is not None and known.stage in GIVEN_UP:
        raise Refused(
            f"Exactly this training made {known.version}, which is {known.stage}.",
            "Import more, or train with another --seed.",
        )
    version = known or _train(workspace, base, dataset, configuration, recipe, progress)
    shutil.rmtree(_run_folder(workspace, recipe), ignore_errors=True)
    if reembed:
        reconcile_all(workspace, progress)
    return _with_evaluations(workspace, version, dataset, progress, found=known is not None)


def recipe_of(base: ModelVersion, dataset: PairDataset, configuration: TrainingConfiguration) -> str:
    """SHA-256 (hex) of everything that decides what a training makes."""
    parts = {
        "artifact": base.spec.embedder.artifact,
        "dataset": dataset.fingerprint,
        "configuration": configuration.model_dump(mode="json"),
    }
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _run_folder(workspace: Workspace, recipe: str) -> Path:
    """Where a training keeps its checkpoints until its version is registered."""
    return workspace.runs / recipe[:16]


def _train(
    workspace: Workspace,
    base: ModelVersion,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    recipe: str,
    progress: Progress,
) -> ModelVersion:
    # Imported here because it takes seconds, which a retraining that finds its version does not need.
    from training.finetune import Prompts, fine_tune
    from training.model_card import write_model_card

    embedder = base.spec.embedder
    with progress.task("Fine-tuning", 1) as advance:
        trained = fine_tune(
            workspace.artifacts.verified(embedder.artifact),
            dataset,
            configuration,
            Prompts(playlist=embedder.playlist_prompt, song=embedder.song_prompt),
            _run_folder(workspace, recipe) / "checkpoints",
            on_progress=advance,
        )
    write_model_card(trained.folder, embedder.base_model, dataset, configuration, trained.metrics)
    return _register(workspace, base, dataset, configuration, recipe, trained, progress)


def _register(
    workspace: Workspace,
    base: ModelVersion,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    recipe: str,
    trained: "FineTuned",
    progress: Progress,
) -> ModelVersion:
    """Store the model, measure its scales and its test split, and register it with its evaluation."""
    embedder = base.spec.embedder.model_copy(update={"artifact": workspace.artifacts.add(trained.folder)})
    vectors = encode_dataset(
        workspace.load_encoder(embedder), dataset, progress, label="Encoding the test for the new version"
    )
    matching = calibrated_matching(training_sample(dataset), vectors)
    training = TrainingSpec(
        parent=base.version,
        dataset=dataset.fingerprint,
        configuration=configuration.model_dump(mode="json"),
        code_revision=package_version(DISTRIBUTION),
        metrics=trained.metrics,
    )
    spec = ModelSpec(embedder=embedder, text_template=base.spec.text_template, matching=matching, training=training)
    with workspace.database.transaction() as connection:
        version = versions.register(connection, spec, recipe=recipe, actor=actor())
        report = evaluate_dataset(version.version, matching, dataset, vectors)
        versions.save_evaluation(connection, version.version, dataset.fingerprint, report)
        pointer.set_candidate(connection, version.version)
    return version


def _with_evaluations(
    workspace: Workspace, version: ModelVersion, dataset: PairDataset, progress: Progress, *, found: bool
) -> Retrained:
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live or version.version
        version = versions.get(connection, version.version)
    return Retrained(
        version=version,
        found=found,
        dataset=dataset,
        evaluation=evaluate_version(workspace, version.version, progress, dataset=dataset.fingerprint),
        live=live,
        live_evaluation=evaluate_version(workspace, live, progress, dataset=dataset.fingerprint),
    )
