"""The retraining: catalogue to dataset to fine-tuned model to registered, evaluated and embedded version.

Every step is named by the digest of what goes into it, so the same command after a kill goes on where it stopped and
ends as if nothing had happened; run again on the same data it finds its version registered.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lifecycle.base_version import ensure_base_version
from lifecycle.dataset_vectors import EncodedDataset, encode_dataset
from lifecycle.emotion_models import store_emotions
from lifecycle.evaluation import Report, dataset_regimes, evaluate_version, with_emotions
from lifecycle.fusion import chosen_signals, fuse
from lifecycle.gate.policy import GatePolicy, read_policy
from lifecycle.progress import Progress
from lifecycle.reconcile.operation import reconcile_all
from lifecycle.rerank_trial import try_reranker
from lifecycle.settings import LifecycleSettings, read_settings
from lifecycle.tracking import Tracking, tracked
from lifecycle.training_run import run_training
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, remote_work, versions
from registry.database import actor
from registry.errors import AlreadyRunning, Refused
from registry.remote_work import RemoteState
from registry.stages import GIVEN_UP
from registry.versions import EMOTION, MatchSpec, ModelSpec, ModelVersion, RerankerSpec, TrainingSpec
from training.configuration import RERANKER_MAX_LENGTH, TrainingConfiguration
from training.dataset import PairDataset, build_dataset
from training.examples import Prompts
from training.job import FineTuned, TrainingJob
from training.model_card import write_model_card
from training.splits import Split

DISTRIBUTION = "autosort-lifecycle"

_RUN_DIGITS = 16


@dataclass(frozen=True)
class Retrained:
    """The version that a retraining made or, if the same was trained before, found.

    Attributes:
        far_seconds: for which containers far away worked on it, by function.
    """

    version: ModelVersion
    found: bool
    dataset: PairDataset
    evaluation: Report
    live: str
    live_evaluation: Report
    far_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Made:
    """What came of a training beside its version: the dataset in its space, and the seconds it took far away."""

    vectors: EncodedDataset
    far_seconds: float = 0.0


def retrain(
    workspace: Workspace,
    configuration: TrainingConfiguration,
    progress: Progress,
    *,
    reembed: bool = True,
    processes: int = 1,
    dataset: PairDataset | None = None,
) -> Retrained:
    """Fine-tune the base model on the catalogue as it is and register the outcome as the next version.

    Args:
        reembed: also embed the catalogue for it, so that it can be promoted.
        processes: how many share the training, by accelerate: one for each GPU, say.
        dataset: that of a training which was asked for before, instead of one of the catalogue as it is.

    Raises:
        BadInput: the catalogue holds too little to learn from.
        AlreadyRunning: another retraining runs on this machine.
        Refused: the same training was done before and its version was given up.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(workspace.runs / "retrain.lock")
    try:
        with lock.acquire(timeout=0):
            return _retrain(workspace, configuration, progress, dataset, reembed=reembed, processes=processes)
    except Timeout:
        raise AlreadyRunning(
            f"Another retraining is running in {workspace.runs}.", "Wait for it, or end it; then run this again."
        ) from None


def _retrain(
    workspace: Workspace,
    configuration: TrainingConfiguration,
    progress: Progress,
    dataset: PairDataset | None,
    *,
    reembed: bool,
    processes: int,
) -> Retrained:
    chosen_signals(configuration.signals)
    base = ensure_base_version(workspace, progress, configuration.base)
    if dataset is None:
        with workspace.database.transaction() as connection:
            dataset = build_dataset(catalogue.snapshot(connection))
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
    with tracked(workspace, base, dataset, configuration, recipe, progress, wanted=known is None) as tracking:
        version, made = known, None
        if version is None:
            version, made = _train(workspace, base, dataset, configuration, recipe, progress, processes, tracking)
        shutil.rmtree(_run_folder(workspace, recipe), ignore_errors=True)
        tracking.registered(version)
        embedded = reconcile_all(workspace, progress) if reembed else []
        done = _with_evaluations(workspace, version, dataset, made, progress)
        tracking.evaluated(done.evaluation, done.live_evaluation)
    far = {"train": made.far_seconds if made else 0.0, "embed": sum(each.far_seconds for each in embedded)}
    return replace(done, far_seconds={name: seconds for name, seconds in far.items() if seconds})


def recipe_of(base: ModelVersion, dataset: PairDataset, configuration: TrainingConfiguration) -> str:
    """SHA-256 (hex) of everything that decides what a training makes."""
    parts = {
        "artifact": base.spec.embedder.artifact,
        "dataset": dataset.fingerprint,
        # Recipes of a time when signals could not be chosen are the same as those in which none are.
        "configuration": configuration.model_dump(mode="json", exclude=None if configuration.signals else {"signals"}),
    }
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _run_folder(workspace: Workspace, recipe: str) -> Path:
    """Where a training keeps its checkpoints until its version is registered."""
    return workspace.runs / recipe[:_RUN_DIGITS]


def _train(
    workspace: Workspace,
    base: ModelVersion,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    recipe: str,
    progress: Progress,
    processes: int,
    tracking: Tracking,
) -> tuple[ModelVersion, _Made]:
    embedder = base.spec.embedder
    job = TrainingJob(
        base=workspace.artifacts.verified(embedder.artifact),
        dataset=dataset,
        configuration=configuration,
        prompts=Prompts(playlist=embedder.playlist_prompt, song=embedder.song_prompt),
        folder=_run_folder(workspace, recipe),
        device=workspace.device,
    )
    policy = read_policy(workspace.settings.home)
    settings = read_settings()
    if settings.compute == "modal":
        return _train_far_away(workspace, base, job, policy, recipe, progress, tracking, settings)
    trained = run_training(job, workspace.datasets, progress, processes=processes, on_log=tracking.log)
    write_model_card(trained.folder, embedder.base_model, dataset, configuration, trained.metrics, trained.record)
    version, vectors = _register(workspace, base, job, policy, recipe, trained, progress)
    return version, _Made(vectors)


def _train_far_away(
    workspace: Workspace,
    base: ModelVersion,
    job: TrainingJob,
    policy: GatePolicy,
    recipe: str,
    progress: Progress,
    tracking: Tracking,
    settings: LifecycleSettings,
) -> tuple[ModelVersion, _Made]:
    from lifecycle.compute.far_training import train_far_away
    from lifecycle.compute.remote import ModalApp
    from lifecycle.compute.requests import TrainingRequest

    request = TrainingRequest(
        run=recipe[:_RUN_DIGITS],
        embedder=base.spec.embedder,
        dataset=job.dataset.fingerprint,
        configuration=job.configuration,
    )
    far = train_far_away(workspace, ModalApp(settings.modal_app), recipe, request, progress, tracking.log)
    version, vectors = _register(workspace, base, job, policy, recipe, far.trained, progress, vectors=far.vectors)
    with workspace.database.transaction() as connection:
        remote_work.close(connection, far.work_id, RemoteState.DONE)
    return version, _Made(vectors, far.seconds)


def _register(
    workspace: Workspace,
    base: ModelVersion,
    job: TrainingJob,
    policy: GatePolicy,
    recipe: str,
    trained: FineTuned,
    progress: Progress,
    *,
    vectors: EncodedDataset | None = None,
) -> tuple[ModelVersion, EncodedDataset]:
    """Store the model, weigh its signals, and register it; it is the candidate from then on.

    Args:
        vectors: the dataset in the model's space, if that is known.
    """
    embedder = base.spec.embedder.model_copy(update={"artifact": workspace.artifacts.add(trained.folder)})
    if vectors is None:
        encoder = workspace.load_encoder(embedder)
        vectors = encode_dataset(encoder, job.dataset, progress, label="Encoding the dataset for the new version")
    signals = chosen_signals(job.configuration.signals)
    emotions = base.spec.emotions or store_emotions(embedder.base_model, workspace.artifacts, read_settings())
    vectors = with_emotions(workspace, emotions if EMOTION in signals else None, job.dataset, vectors, progress)
    fusion = fuse(job.dataset, vectors, signals)
    reranker, reranked = _reranker(workspace, base, job, trained, fusion.matching, vectors)
    training = TrainingSpec(
        parent=base.version,
        dataset=job.dataset.fingerprint,
        configuration=job.configuration.model_dump(mode="json"),
        code_revision=package_version(DISTRIBUTION),
        metrics=trained.metrics,
        record={**trained.record, "fusion": fusion.record, "reranker": reranked},
        gate=policy.model_dump(mode="json"),
    )
    spec = ModelSpec(
        embedder=embedder,
        text_template=job.dataset.template,
        matching=fusion.matching,
        training=training,
        reranker=reranker,
        emotions=emotions,
    )
    with workspace.database.transaction() as connection:
        version = versions.register(connection, spec, recipe=recipe, actor=actor())
        pointer.set_candidate(connection, version.version)
    return version, vectors


def _reranker(
    workspace: Workspace,
    base: ModelVersion,
    job: TrainingJob,
    trained: FineTuned,
    matching: MatchSpec,
    vectors: EncodedDataset,
) -> tuple[RerankerSpec | None, dict[str, Any] | None]:
    """The reranker that was trained, if the development songs rank better with it; and what was measured."""
    if trained.reranker is None:
        return None, None
    spec = RerankerSpec(artifact="", base_model=base.spec.embedder.base_model, max_length=RERANKER_MAX_LENGTH)
    regimes = dataset_regimes(matching, job.dataset, vectors, (Split.DEVELOPMENT,))
    if not regimes:
        return None, {"taken": False, "n": 0}
    trial = try_reranker(trained.reranker, spec, matching, regimes[0], job.dataset.template, device=workspace.device)
    if not trial.weight:
        return None, trial.record
    digest = workspace.artifacts.add(trained.reranker)
    return spec.model_copy(update={"artifact": digest, "weight": trial.weight}), trial.record


def _with_evaluations(
    workspace: Workspace,
    version: ModelVersion,
    dataset: PairDataset,
    made: _Made | None,
    progress: Progress,
) -> Retrained:
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live or version.version
        version = versions.get(connection, version.version)
    vectors = made.vectors if made else None
    return Retrained(
        version=version,
        found=made is None,
        dataset=dataset,
        evaluation=evaluate_version(workspace, version.version, progress, dataset=dataset.fingerprint, vectors=vectors),
        live=live,
        live_evaluation=evaluate_version(workspace, live, progress, dataset=dataset.fingerprint),
    )
