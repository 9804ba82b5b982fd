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
from typing import Any

from filelock import FileLock, Timeout

from lifecycle.base_version import ensure_base_version
from lifecycle.compute.metering import Spend, unbilled
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
    """The version that a retraining made or, if the same was trained before, found."""

    version: ModelVersion
    found: bool
    dataset: PairDataset
    evaluation: Report
    live: str
    live_evaluation: Report


@dataclass(frozen=True)
class _Run:
    """One retraining: from what, where, and who is told.

    Attributes:
        processes: how many share the training.
        spend: told what other machines worked for.
    """

    workspace: Workspace
    base: ModelVersion
    dataset: PairDataset
    configuration: TrainingConfiguration
    recipe: str
    progress: Progress
    processes: int
    spend: Spend


def retrain(
    workspace: Workspace,
    configuration: TrainingConfiguration,
    progress: Progress,
    *,
    reembed: bool = True,
    processes: int = 1,
    dataset: PairDataset | None = None,
    spend: Spend = unbilled,
) -> Retrained:
    """Fine-tune the base model on the catalogue as it is and register the outcome as the next version.

    Args:
        reembed: also embed the catalogue for it, so that it can be promoted.
        processes: how many share the training, by accelerate: one for each GPU, say.
        dataset: that of a training which was asked for before, instead of one of the catalogue as it is.
        spend: told what other machines worked for.

    Raises:
        BadInput: the catalogue holds too little to learn from.
        AlreadyRunning: another retraining runs on this machine.
        Refused: the same training was done before and its version was given up.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(workspace.runs / "retrain.lock")
    try:
        with lock.acquire(timeout=0):
            chosen_signals(configuration.signals)
            base = ensure_base_version(workspace, progress, configuration.base, spend=spend)
            dataset = _kept_dataset(workspace, dataset, progress)
            recipe = recipe_of(base, dataset, configuration)
            run = _Run(workspace, base, dataset, configuration, recipe, progress, processes, spend)
            return _retrain(run, reembed=reembed)
    except Timeout:
        raise AlreadyRunning(
            f"Another retraining is running in {workspace.runs}.", "Wait for it, or end it; then run this again."
        ) from None


def _kept_dataset(workspace: Workspace, dataset: PairDataset | None, progress: Progress) -> PairDataset:
    """The dataset, by default that of the catalogue as it is, on this machine's disk."""
    if dataset is None:
        with workspace.database.transaction() as connection:
            dataset = build_dataset(catalogue.snapshot(connection))
    dataset.save(workspace.datasets)
    progress.say(f"Dataset {dataset.fingerprint[:12]}: " + ", ".join(f"{n} {s}" for s, n in dataset.counts().items()))
    return dataset


def _retrain(run: _Run, *, reembed: bool) -> Retrained:
    workspace, progress = run.workspace, run.progress
    with workspace.database.transaction() as connection:
        known = versions.find_recipe(connection, run.recipe)
    if known is not None and known.stage in GIVEN_UP:
        raise Refused(
            f"Exactly this training made {known.version}, which is {known.stage}.",
            "Import more, or train with another --seed.",
        )
    with tracked(
        workspace, run.base, run.dataset, run.configuration, run.recipe, progress, wanted=known is None
    ) as tracking:
        version, vectors = (known, None) if known else _train(run, tracking)
        shutil.rmtree(_run_folder(workspace, run.recipe), ignore_errors=True)
        tracking.registered(version)
        if reembed:
            reconcile_all(workspace, progress, spend=run.spend)
        done = _with_evaluations(run, version, vectors)
        tracking.evaluated(done.evaluation, done.live_evaluation)
    return done


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


def _train(run: _Run, tracking: Tracking) -> tuple[ModelVersion, EncodedDataset]:
    """The new version, and the dataset in its space."""
    workspace, embedder = run.workspace, run.base.spec.embedder
    policy = read_policy(workspace.settings.home)
    settings = read_settings()
    if settings.compute == "modal":
        return _train_far_away(run, policy, tracking, settings)
    job = TrainingJob(
        base=workspace.artifacts.verified(embedder.artifact),
        dataset=run.dataset,
        configuration=run.configuration,
        prompts=Prompts(playlist=embedder.playlist_prompt, song=embedder.song_prompt),
        folder=_run_folder(workspace, run.recipe),
        device=workspace.device,
    )
    trained = run_training(job, workspace.datasets, run.progress, processes=run.processes, on_log=tracking.log)
    write_model_card(
        trained.folder, embedder.base_model, run.dataset, run.configuration, trained.metrics, trained.record
    )
    return _register(run, policy, trained)


def _train_far_away(
    run: _Run, policy: GatePolicy, tracking: Tracking, settings: LifecycleSettings
) -> tuple[ModelVersion, EncodedDataset]:
    from lifecycle.compute.far_training import train_far_away
    from lifecycle.compute.remote import ModalApp
    from lifecycle.compute.requests import TrainingRequest

    request = TrainingRequest(
        run=run.recipe[:_RUN_DIGITS],
        embedder=run.base.spec.embedder,
        dataset=run.dataset.fingerprint,
        configuration=run.configuration,
    )
    app = ModalApp(settings.modal_app)
    far = train_far_away(run.workspace, app, run.recipe, request, run.progress, tracking.log)
    made = _register(run, policy, far.trained, far.vectors)
    with run.workspace.database.transaction() as connection:
        remote_work.close(connection, far.work_id, RemoteState.DONE)
    run.spend("train", far.seconds)
    return made


def _register(
    run: _Run, policy: GatePolicy, trained: FineTuned, vectors: EncodedDataset | None = None
) -> tuple[ModelVersion, EncodedDataset]:
    """Store the model, weigh its signals, and register it; it is the candidate from then on.

    Args:
        vectors: the dataset in the model's space, if that is known.
    """
    workspace, spec, dataset = run.workspace, run.base.spec, run.dataset
    embedder = spec.embedder.model_copy(update={"artifact": workspace.artifacts.add(trained.folder)})
    if vectors is None:
        encoder = workspace.load_encoder(embedder)
        vectors = encode_dataset(encoder, dataset, run.progress, label="Encoding the dataset for the new version")
    signals = chosen_signals(run.configuration.signals)
    emotions = spec.emotions or store_emotions(embedder.base_model, workspace.artifacts, read_settings())
    vectors = with_emotions(workspace, emotions if EMOTION in signals else None, dataset, vectors, run.progress)
    fusion = fuse(dataset, vectors, signals)
    reranker, reranked = _reranker(run, trained, fusion.matching, vectors)
    training = TrainingSpec(
        parent=run.base.version,
        dataset=dataset.fingerprint,
        configuration=run.configuration.model_dump(mode="json"),
        code_revision=package_version(DISTRIBUTION),
        metrics=trained.metrics,
        record={**trained.record, "fusion": fusion.record, "reranker": reranked},
        gate=policy.model_dump(mode="json"),
    )
    made = ModelSpec(
        embedder=embedder,
        text_template=dataset.template,
        matching=fusion.matching,
        training=training,
        reranker=reranker,
        emotions=emotions,
    )
    with workspace.database.transaction() as connection:
        version = versions.register(connection, made, recipe=run.recipe, actor=actor())
        pointer.set_candidate(connection, version.version)
    return version, vectors


def _reranker(
    run: _Run, trained: FineTuned, matching: MatchSpec, vectors: EncodedDataset
) -> tuple[RerankerSpec | None, dict[str, Any] | None]:
    """The reranker that was trained, if the development songs rank better with it; and what was measured."""
    if trained.reranker is None:
        return None, None
    spec = RerankerSpec(artifact="", base_model=run.base.spec.embedder.base_model, max_length=RERANKER_MAX_LENGTH)
    regimes = dataset_regimes(matching, run.dataset, vectors, (Split.DEVELOPMENT,))
    if not regimes:
        return None, {"taken": False, "n": 0}
    device, template = run.workspace.device, run.dataset.template
    trial = try_reranker(trained.reranker, spec, matching, regimes[0], template, device=device)
    if not trial.weight:
        return None, trial.record
    digest = run.workspace.artifacts.add(trained.reranker)
    return spec.model_copy(update={"artifact": digest, "weight": trial.weight}), trial.record


def _with_evaluations(run: _Run, version: ModelVersion, vectors: EncodedDataset | None) -> Retrained:
    """Its evaluation and the live version's on the same dataset; the base model's is kept too, for the gate.

    Args:
        vectors: the dataset in its space, if it was made just now.
    """
    workspace, progress, fingerprint = run.workspace, run.progress, run.dataset.fingerprint
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live or version.version
        version = versions.get(connection, version.version)
    evaluation = evaluate_version(
        workspace, version.version, progress, dataset=fingerprint, vectors=vectors, spend=run.spend
    )
    others = {live} if run.base.stage in GIVEN_UP else {live, run.base.version}
    before = {
        name: evaluate_version(workspace, name, progress, dataset=fingerprint, spend=run.spend)
        for name in sorted(others)
    }
    return Retrained(version, vectors is None, run.dataset, evaluation, live, before[live])
