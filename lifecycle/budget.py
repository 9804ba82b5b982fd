"""The month's budget: heavy work is allowed before it begins, and what it took is written down when it ends.

Two that ask at once are allowed one after the other, each seeing what the other may spend. Work that is killed keeps
its place in the books at its estimate.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from lifecycle.compute.far_embedding import WORTH_SENDING
from lifecycle.cost import (
    Estimate,
    Machine,
    Standing,
    a10,
    estimate_embedding,
    estimate_training,
    here,
    judge,
    trained_pairs,
)
from lifecycle.progress import Progress
from lifecycle.reconcile.operation import waiting_songs
from lifecycle.settings import LifecycleSettings, read_settings
from lifecycle.workspace import Workspace
from registry import catalogue, spending
from registry.database import Connection, actor
from registry.errors import AutosortError, BadInput, OverBudget
from registry.spending import Expense, Work
from registry.versions import ModelVersion
from training.configuration import PROFILES, TrainingConfiguration


@dataclass(frozen=True)
class Waiver:
    """What the operator says to the budget: whether it may be exceeded, and why the money is spent."""

    over_budget: bool = False
    reason: str | None = None


@dataclass
class Bill:
    """What is known of the work only once it is done.

    Attributes:
        version: that it made.
        far_seconds: that containers far away worked, by function.
    """

    version: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    far_seconds: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def spend(self, function: str, seconds: float) -> None:
        """Add what a function worked in a container far away; from any thread."""
        with self._lock:
            self.far_seconds[function] = self.far_seconds.get(function, 0.0) + seconds


@contextmanager
def training_bill(
    workspace: Workspace, configuration: TrainingConfiguration, progress: Progress, waiver: Waiver, *, reembed: bool
) -> Iterator[Bill]:
    """Allow a training, with the embedding of the catalogue if it follows, and write down what it took.

    Raises:
        OverBudget: the month's budget does not allow it and the waiver does not help.
        BadInput: the budget is to be exceeded without a reason.
    """
    settings = read_settings()
    machine = machine_of(settings, workspace)
    with workspace.database.transaction() as connection:
        counts = catalogue.counts(connection)
    pairs, songs = trained_pairs(counts["memberships"]), counts["songs"]
    estimates = [estimate_training(pairs, configuration, machine, songs=songs)]
    if reembed:
        estimates.append(estimate_embedding(songs, configuration.profile, machine))
    about = {"profile": configuration.profile, "epochs": configuration.epochs, "pairs": pairs}
    with _billed(workspace, settings, machine, Work.TRAINING, estimates, about, progress, waiver) as bill:
        yield bill


@contextmanager
def reembedding_bill(workspace: Workspace, name: str | None, progress: Progress, waiver: Waiver) -> Iterator[Bill]:
    """Allow the embedding of what a version (or every version in use) lacks, and write down what it took.

    Where no song waits to be embedded nothing is asked and nothing is written down, whatever stands on the bill.

    Raises:
        OverBudget: the month's budget does not allow it and the waiver does not help.
        BadInput: the budget is to be exceeded without a reason.
        NotFound: there is no version of that name.
    """
    _require_reason(waiver)
    waiting = _waiting(workspace, name)
    if not any(waiting.values()):
        yield Bill()
        return
    settings = read_settings()
    machine = machine_of(settings, workspace)
    estimates = [estimate_embedding(songs, profile, machine) for profile, songs in waiting.items() if songs]
    about = {"songs": sum(waiting.values())}
    with _billed(workspace, settings, machine, Work.REEMBEDDING, estimates, about, progress, waiver) as bill:
        bill.version = name
        yield bill


@contextmanager
def following_bill(workspace: Workspace, name: str, progress: Progress) -> Iterator[Bill]:
    """The same for who follows the catalogue change by change: only what is sent far away is on a bill at all.

    Raises:
        OverBudget: the month's budget does not allow it.
    """
    if read_settings().compute != "modal" or sum(_waiting(workspace, name).values()) < WORTH_SENDING:
        yield Bill()
        return
    with reembedding_bill(workspace, name, progress, Waiver()) as bill:
        yield bill


def machine_of(settings: LifecycleSettings, workspace: Workspace) -> Machine:
    """Where heavy work is done by these settings."""
    if settings.compute == "modal":
        return a10(settings)
    # Whether there is a GPU takes seconds to find out, and is of no account where nothing costs anything.
    return here(settings, gpu=settings.local_price > 0 and has_gpu(workspace))


def has_gpu(workspace: Workspace) -> bool:
    """Whether this machine's work is done on a CUDA device."""
    if workspace.device is not None:
        return workspace.device.startswith("cuda")
    import torch

    return torch.cuda.is_available()


def profile_of(version: ModelVersion) -> str:
    """The recipe whose figures hold for a version: its own, or for a base model the one that begins from it."""
    if version.spec.training is not None:
        return str(version.spec.training.configuration["profile"])
    return next((name for name, each in PROFILES.items() if each.base == version.spec.embedder.base_model), "bundled")


def _waiting(workspace: Workspace, name: str | None) -> dict[str, int]:
    """Songs to be embedded, by profile; before the first version all of them wait for it."""
    waiting: dict[str, int] = {}
    for version, songs in waiting_songs(workspace, name):
        waiting[profile_of(version)] = waiting.get(profile_of(version), 0) + songs
    if waiting or name:
        return waiting
    with workspace.database.transaction() as connection:
        return {read_settings().recipe: catalogue.counts(connection)["songs"]}


@contextmanager
def _billed(
    workspace: Workspace,
    settings: LifecycleSettings,
    machine: Machine,
    work: Work,
    estimates: list[Estimate],
    about: Mapping[str, Any],
    progress: Progress,
    waiver: Waiver,
) -> Iterator[Bill]:
    asked = sum(each.dollars for each in estimates)
    with workspace.database.transaction() as connection:
        _authorise(connection, asked, settings.budget, progress, waiver)
        details = {**about, "machine": machine.name, "over_budget": waiver.over_budget}
        expense = spending.begin(connection, work, actor=actor(), estimate=asked, reason=waiver.reason, details=details)
    bill, began = Bill(), time.monotonic()
    try:
        yield bill
    except BaseException as error:
        bill.details["failed"] = type(error).__name__
        # What stopped the work is what must be told, even if the database is what stopped it.
        with suppress(AutosortError):
            _settle(workspace, settings, expense, machine, time.monotonic() - began, bill)
        raise
    _settle(workspace, settings, expense, machine, time.monotonic() - began, bill)


def _authorise(connection: Connection, asked: float, budget: float, progress: Progress, waiver: Waiver) -> None:
    """Raise `OverBudget` unless the month's budget, or the operator, allows so many dollars."""
    _require_reason(waiver)
    spending.lock(connection)
    spent = spending.month_total(connection)
    standing = judge(spent, asked, budget)
    fact = f"${spent:.2f} of this month's ${budget:.2f} are spent, and this would cost about ${asked:.2f}"
    if standing is Standing.OVER and not waiver.over_budget:
        raise OverBudget(
            f"{fact}.", 'Wait for the next month, raise AUTOSORT_BUDGET, or add --over-budget --reason "why".'
        )
    if standing is not Standing.WITHIN:
        beyond = ": over the budget" if standing is Standing.OVER else ""
        progress.say(f"{fact}{beyond}.")


def _require_reason(waiver: Waiver) -> None:
    if waiver.over_budget and not waiver.reason:
        raise BadInput("--over-budget needs a reason.", 'Add --reason "why"; it is kept with what was spent.')


def _settle(
    workspace: Workspace, settings: LifecycleSettings, expense: Expense, machine: Machine, here: float, bill: Bill
) -> None:
    """Write down what it took: of work on Modal what containers worked there, since time that goes by here is free."""
    far = {name: round(seconds, 1) for name, seconds in bill.far_seconds.items()}
    seconds = sum(bill.far_seconds.values()) if settings.compute == "modal" else here
    with workspace.database.transaction() as connection:
        spending.settle(
            connection,
            expense.spending_id,
            seconds=seconds,
            dollars=machine.dollars(seconds),
            version=bill.version,
            details={**bill.details, **({"gpu_seconds": far} if far else {})},
        )
