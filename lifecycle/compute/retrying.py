"""Work that was put off while Modal was away, taken up again by whatever runs next."""

from lifecycle.budget import Waiver, reembedding_bill, training_bill
from lifecycle.progress import Progress
from lifecycle.reconcile.operation import reconcile
from lifecycle.retrain import retrain
from lifecycle.settings import read_settings
from lifecycle.workspace import Workspace
from registry import remote_work
from registry.errors import AutosortError, ComputeUnavailable, NotFound, OverBudget
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
        except (ComputeUnavailable, OverBudget) as error:  # it stays on record
            progress.say(str(error))
            break
        except AutosortError as error:
            progress.say(f"The {work.kind.value} failed: {error}")
            _close(workspace, work, RemoteState.FAILED, error.fact)
        else:
            _close(workspace, work, RemoteState.DONE)
    return taken


def _take_up(workspace: Workspace, work: RemoteWork, progress: Progress) -> None:
    # What runs there already is paid for anyway; what is not begun yet must be within the budget.
    waiver = Waiver(over_budget=work.call_id is not None, reason=f"put off since {work.asked_at:%Y-%m-%d %H:%M}")
    if work.kind is RemoteKind.REEMBEDDING:
        _reembed(workspace, str(work.request["version"]), progress, waiver)
        return
    try:
        dataset = PairDataset.load(workspace.datasets, str(work.request["dataset"]))
    except NotFound:  # it was asked for on another machine; trained is what there is now
        dataset = None
    configuration = TrainingConfiguration.model_validate(work.request["configuration"])
    with training_bill(workspace, configuration, progress, waiver, reembed=True) as bill:
        done = retrain(workspace, configuration, progress, dataset=dataset, spend=bill.spend)
        bill.version = done.version.version


def _reembed(workspace: Workspace, name: str, progress: Progress, waiver: Waiver) -> None:
    with reembedding_bill(workspace, name, progress, waiver) as bill:
        reconcile(workspace, name, progress, spend=bill.spend)


def _close(workspace: Workspace, work: RemoteWork, state: RemoteState, reason: str | None = None) -> None:
    with workspace.database.transaction() as connection:
        remote_work.close(connection, work.work_id, state, reason)
