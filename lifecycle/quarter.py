"""The quarter, from beginning to end: is a retraining due, is it paid for, did it help; then a person is asked.

Nothing here promotes unless that was configured, and even then the gate decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lifecycle.budget import Waiver, training_bill
from lifecycle.checking import check_triggers
from lifecycle.compute.retrying import retry_due
from lifecycle.compute.shipping import ship
from lifecycle.gate.decision import Decision
from lifecycle.notification import notify
from lifecycle.parallel import running
from lifecycle.progress import Progress
from lifecycle.promotion import preview, promote
from lifecycle.retrain import retrain
from lifecycle.settings import LifecycleSettings, read_settings
from lifecycle.workspace import Workspace
from registry.errors import ComputeUnavailable, OverBudget
from training.configuration import TrainingConfiguration

SAMPLE = 0.2
"""Of the live requests, those that the new version answers beside the live one."""


class Outcome(StrEnum):
    """What became of a quarter."""

    NOT_DUE = "not_due"
    OVER_BUDGET = "over_budget"
    PUT_OFF = "put_off"
    WORSE = "worse"
    WAITS = "waits_for_promotion"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class Quarter:
    """What became of it, of which version, and why in a sentence."""

    outcome: Outcome
    version: str | None
    why: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The quarter as a JSON object."""
        return {"outcome": self.outcome.value, "version": self.version, "why": self.why, **self.details}


def run_quarter(workspace: Workspace, configuration: TrainingConfiguration, progress: Progress) -> Quarter:
    """Check, retrain, evaluate, register, re-embed, compare, as far as it goes; people are told unless nothing is due.

    What was put off while Modal was away is taken up first.
    """
    settings = read_settings()
    retry_due(workspace, progress)
    checked = check_triggers(workspace)
    if not checked.due:
        return Quarter(Outcome.NOT_DUE, checked.facts.candidate, "No trigger holds.", {"check": checked.as_json()})
    quarter = _retrained(workspace, configuration, progress, settings)
    told = notify(settings.webhooks, "quarter", quarter.as_json())
    progress.say(f"{quarter.why} {sum(told)} of {len(told)} webhooks were told.")
    return quarter


def _retrained(
    workspace: Workspace, configuration: TrainingConfiguration, progress: Progress, settings: LifecycleSettings
) -> Quarter:
    try:
        with training_bill(workspace, configuration, progress, Waiver(), reembed=True) as bill:
            done = retrain(workspace, configuration, progress, spend=bill.spend)
            bill.version = done.version.version
        ship(workspace, progress, done.version.version)
    except OverBudget as error:
        return Quarter(Outcome.OVER_BUDGET, None, str(error))
    except ComputeUnavailable as error:
        return Quarter(Outcome.PUT_OFF, None, str(error))
    name = done.version.version
    decision = preview(workspace, name, progress)
    if not decision.passed:
        return Quarter(Outcome.WORSE, name, _refused(decision), {"gate": decision.as_json()})
    if settings.auto_promote:
        promote(workspace, name, progress)
        return Quarter(Outcome.PROMOTED, name, f"{name} passed the gate and is live.", {"gate": decision.as_json()})
    running.start(workspace, name, sample=SAMPLE, canary=0.0)
    beside = f"answers {SAMPLE:.0%} of the requests beside {done.live}"
    why = f"{name} passed the gate and {beside}. Next: `autosort promote {name}`."
    return Quarter(Outcome.WAITS, name, why, {"gate": decision.as_json()})


def _refused(decision: Decision) -> str:
    failed = "; ".join(f"{each.rule}: {each.figure}" for each in decision.verdicts if not each.passed)
    return f"{decision.candidate} may not go live: {failed}. The live version stays."
