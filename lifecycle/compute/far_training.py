"""A training on Modal, from here: sent, followed, found again after this machine was away, fetched and checked."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lifecycle.compute.container import load_vectors
from lifecycle.compute.putting_off import put_off_while_away
from lifecycle.compute.remote import Forgotten, ModalApp, StillRunning
from lifecycle.compute.requests import STANDING, VECTORS, Answer, TrainingOutcome, TrainingRequest, TrainingStanding
from lifecycle.compute.shelf import Kind
from lifecycle.compute.shipping import bring_embedder
from lifecycle.compute.transfer import fetch, send
from lifecycle.dataset_vectors import EncodedDataset
from lifecycle.progress import Advance, Progress
from lifecycle.workspace import Workspace
from registry import remote_work
from registry.database import actor
from registry.errors import TrainingError
from registry.remote_work import RemoteKind, RemoteWork
from training.job import FineTuned

if TYPE_CHECKING:
    from training.trainer import Log

_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class FarTrained:
    """A training that was done far away: its model, stored here, the dataset in its space, and what it took there."""

    trained: FineTuned
    vectors: EncodedDataset
    seconds: float
    work_id: int


def train_far_away(
    workspace: Workspace, app: ModalApp, recipe: str, request: TrainingRequest, progress: Progress, on_log: "Log"
) -> FarTrained:
    """Train on Modal; the same recipe asked for again, from anywhere, comes to the same training.

    Raises:
        ComputeUnavailable: Modal is away; the work is on record and goes on with whatever command runs next.
        ComputeError: Modal did not do it.
        AutosortError: what stopped the training there.
    """
    document = request.model_dump(mode="json")
    with workspace.database.transaction() as connection:
        work = remote_work.ask(connection, RemoteKind.TRAINING, recipe, document, actor=actor())
    with put_off_while_away(workspace, work):
        call_id = work.call_id or _begin(workspace, app, work, request, progress)
        progress.say(
            f"Training on Modal, as call {call_id}; interrupt this whenever you like, the same command goes on."
        )
        outcome = _follow(workspace, app, work, request, call_id, progress, on_log)
        return _fetched(workspace, app, outcome, work, progress)


def _begin(workspace: Workspace, app: ModalApp, work: RemoteWork, request: TrainingRequest, progress: Progress) -> str:
    """Send what the training needs, begin it, and write down where it is found again."""
    bring_embedder(app, workspace.artifacts, request.embedder, progress, published=True)
    send(app.shelf(), Kind.DATASET, request.dataset, workspace.datasets / request.dataset, progress)
    call_id = app.spawn("train", request.model_dump(mode="json"))
    with workspace.database.transaction() as connection:
        remote_work.began(connection, work.work_id, call_id)
    return call_id


def _follow(
    workspace: Workspace,
    app: ModalApp,
    work: RemoteWork,
    request: TrainingRequest,
    call_id: str,
    progress: Progress,
    on_log: "Log",
) -> TrainingOutcome:
    """Wait for the outcome, telling how far the training is as of its last checkpoint."""
    told = -1
    with progress.task("Fine-tuning on Modal", 1) as advance:
        while True:
            began = time.monotonic()
            try:
                return _outcome_of(app.outcome(call_id, seconds=_LOOK_SECONDS))
            except StillRunning:
                told = _tell(app, request.run, advance, on_log, told)
                time.sleep(max(0.0, _LOOK_SECONDS - (time.monotonic() - began)))
            except Forgotten:  # Modal forgets a call after a week; what it made is on its disk
                call_id = _begin(workspace, app, work, request, progress)


def _outcome_of(answer: Any) -> TrainingOutcome:  # noqa: ANN401 - what travelled
    told = Answer.model_validate(answer)
    if told.outcome is None:
        raise TrainingError(*(told.refused or ("The training on Modal answered nothing.", "Run this again.")))
    return told.outcome


def _tell(app: ModalApp, run: str, advance: Advance, on_log: "Log", told: int) -> int:
    """Tell what is new since a step; the step up to which all is told then."""
    written = app.shelf().call("peek", Kind.RUN.value, run, STANDING)
    if not written:  # before the first checkpoint
        return told
    standing = TrainingStanding.model_validate_json(written)
    advance(standing.step, max(standing.steps, 1))
    for step, figures in standing.figures:
        if step > told:
            on_log(step, figures)
            told = step
    return told


def _fetched(
    workspace: Workspace, app: ModalApp, outcome: TrainingOutcome, work: RemoteWork, progress: Progress
) -> FarTrained:
    shelf, folders = app.shelf(), workspace.settings.artifacts_folder
    folders.mkdir(parents=True, exist_ok=True)
    digests = {name: digest for name in ("artifact", "reranker") if (digest := getattr(outcome, name)) is not None}
    for digest in digests.values():
        fetch(shelf, Kind.ARTIFACT, digest, folders / digest, progress)
    models = {name: workspace.artifacts.verified(digest) for name, digest in digests.items()}
    run = fetch(shelf, Kind.RUN, outcome.run, workspace.runs / f"{outcome.run}-far", progress)
    trained = FineTuned(models["artifact"], outcome.metrics, _recorded(outcome), models.get("reranker"))
    return FarTrained(trained, load_vectors(run / VECTORS), outcome.seconds, work.work_id)


def _recorded(outcome: TrainingOutcome) -> dict[str, Any]:
    return {**outcome.record, "compute": "modal", "gpu_seconds": {"train": round(outcome.seconds, 1)}}
