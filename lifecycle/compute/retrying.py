"""Work that was put off while Modal was away, taken up again by whatever runs next."""

from lifecycle.progress import Progress
from lifecycle.reconcile.operation import reconcile
from lifecycle.retrain import retrain
from lifecycle.settings import read_settings
from lifecycle.workspace import Workspace
from registry import remote_work
from registry.errors import AutosortError, ComputeUnavailable, NotFound
from registry.remote_work import RemoteKind, RemoteState, RemoteWork
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset


def retry_due(workspace: Workspace, progress: Progress) -> list[RemoteWork]:
    """Take up what was put off and is due, the oldest first; what was taken up, whatever came of it.

    If Modal is still away the rest waits for the next time.
    """
    if read_settings().compute != "modal":
        return []
    with workspace.database.transaction() as connection:
        due = remote_work.list_due(connection)
    taken = []
    for work in due:
        progress.say(f"Taking up the {work.kind.value} that was put off ({work.reason}).")
        taken.append(work)
        try:
            _take_up(workspace, work, progress)
        except ComputeUnavailable as error:
            progress.say(str(error))
            break
        except AutosortError as error:
            progress.say(f"The {work.kind.value} failed: {error}")
            _close(workspace, work, RemoteState.FAILED, error.fact)
        else:
            _close(workspace, work, RemoteState.DONE)
    return taken


def _take_up(workspace: Workspace, work: RemoteWork, progress: Progress) -> None:
    if work.kind is RemoteKind.REEMBEDDING:
        reconcile(workspace, str(work.request["version"]), progress)
        return
    try:
        dataset = PairDataset.load(workspace.datasets, str(work.request["dataset"]))
    except NotFound:  # it was asked for on another machine; trained is what there is now
        dataset = None
    configuration = TrainingConfiguration.model_validate(work.request["configuration"])
    retrain(workspace, configuration, progress, dataset=dataset)


def _close(workspace: Workspace, work: RemoteWork, state: RemoteState, reason: str | None = None) -> None:
    with workspace.database.transaction() as connection:
        remote_work.close(connection, work.work_id, state, reason)
