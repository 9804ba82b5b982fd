"""The gate: whether the evidence allows a version to become live. Pure functions of values."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from lifecycle.gate import evaluation, health, side_by_side
from lifecycle.gate.evidence import Evidence
from lifecycle.gate.policy import GatePolicy
from lifecycle.gate.verdict import Verdict
from registry.errors import GateClosed


@dataclass(frozen=True)
class Decision:
    """The gate's answer, with the policy that it was asked under."""

    candidate: str
    verdicts: tuple[Verdict, ...]
    policy: GatePolicy

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def passed_if_forced(self) -> bool:
        """Whether nothing stands in the way but rules that an operator may waive."""
        return all(verdict.passed or verdict.waivable for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """The decision as a JSON object."""
        return {
            "candidate": self.candidate,
            "passed": self.passed,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "policy": self.policy.model_dump(mode="json"),
        }


def decide(evidence: Evidence, policy: GatePolicy) -> Decision:
    """Apply every rule to the evidence."""
    verdicts = [judge(evidence, policy) for judge in health.RULES]
    if evidence.trial is None:
        verdicts.append(Verdict("evaluation", True, "the first version: nothing to compare with", ""))
    else:
        verdicts += [judge(evidence.candidate, evidence.trial, policy) for judge in evaluation.RULES]
        verdicts += side_by_side.judge(evidence, policy)
    told = tuple(replace(each, remedy="") if each.passed else each for each in verdicts)
    return Decision(evidence.candidate, told, policy)


def require_open(decision: Decision, *, force: bool) -> None:
    """Raise `GateClosed` unless the decision, or an operator where one may, allows the promotion."""
    if decision.passed or (force and decision.passed_if_forced):
        return
    failed = [verdict for verdict in decision.verdicts if not verdict.passed and not (force and verdict.waivable)]
    raise GateClosed(
        f"{decision.candidate} may not go live: "
        + "; ".join(f"{verdict.rule}: {verdict.figure}" for verdict in failed)
        + ".",
        " ".join(dict.fromkeys(verdict.remedy for verdict in failed)),
        details={"decision": decision.as_json()},
    )
