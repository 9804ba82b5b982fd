"""The gate: whether the evidence allows a version to become live. Pure functions of values."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from registry.errors import GateClosed
from registry.vectors import Coverage

RECALL_FLOOR = 0.95
"""Least recall@20 of the index against exact search."""

MARGIN = 0.01
"""How much worse an evaluation may come out and still count as not worse: about what one song in a hundred makes."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate when it asks to be promoted.

    Attributes:
        live: the version that it would replace, if any.
        evaluation: the candidate's report, and `live_evaluation` the live version's on the same test split.
        artifact_verified: whether the model's bytes have just been found to be the registered ones.
    """

    candidate: str
    live: str | None
    evaluation: dict[str, Any] | None
    live_evaluation: dict[str, Any] | None
    coverage: Coverage
    index_valid: bool
    index_recall: float | None
    artifact_verified: bool


@dataclass(frozen=True)
class Verdict:
    """One rule's verdict with its figure, and what to do if it failed. Only a `waivable` rule yields to --force."""

    rule: str
    passed: bool
    figure: str
    remedy: str
    waivable: bool = False


@dataclass(frozen=True)
class Decision:
    """The gate's answer."""

    candidate: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def passed_if_forced(self) -> bool:
        """Whether nothing stands in the way but rules that an operator may waive."""
        return all(verdict.passed or verdict.waivable for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """The decision as a JSON object."""
        verdicts = [asdict(verdict) for verdict in self.verdicts]
        return {"candidate": self.candidate, "passed": self.passed, "verdicts": verdicts}


def decide(evidence: Evidence) -> Decision:
    """Apply every rule to the evidence."""
    rules = (_artifact, _coverage, _index, _evaluation)
    verdicts = (rule(evidence) for rule in rules)
    return Decision(evidence.candidate, tuple(replace(each, remedy="") if each.passed else each for each in verdicts))


def require_open(decision: Decision, *, force: bool) -> None:
    """Raise `GateClosed` unless the decision, or an operator where one may, allows the promotion."""
    if decision.passed or (force and decision.passed_if_forced):
        return
    failed = [verdict for verdict in decision.verdicts if not verdict.passed and not (force and verdict.waivable)]
    raise GateClosed(
        f"{decision.candidate} may not go live: "
        + "; ".join(f"{verdict.rule}: {verdict.figure}" for verdict in failed)
        + ".",
        " ".join(verdict.remedy for verdict in failed),
    )


def _artifact(evidence: Evidence) -> Verdict:
    figure = "digest verified" if evidence.artifact_verified else "digest not verified"
    return Verdict("artifact", evidence.artifact_verified, figure, "Restore the artifact from a backup, or retrain.")


def _coverage(evidence: Evidence) -> Verdict:
    counts = asdict(evidence.coverage)
    wrong = ", ".join(f"{count} {name}" for name, count in counts.items() if count and name != "quarantined")
    figure = wrong or f"complete ({evidence.coverage.quarantined} quarantined)"
    remedy = f"Run `autosort reembed {evidence.candidate}`, then promote again."
    return Verdict("coverage", evidence.coverage.complete, figure, remedy)


def _index(evidence: Evidence) -> Verdict:
    recall = evidence.index_recall
    good = evidence.index_valid and recall is not None and recall >= RECALL_FLOOR
    found = "valid" if evidence.index_valid else "not valid"
    measured = "not measured" if recall is None else f"{recall:.3f} (at least {RECALL_FLOOR})"
    remedy = f"Run `autosort reembed {evidence.candidate}` to build it."
    return Verdict("index", good, f"{found}, recall@20 {measured}", remedy)


def _evaluation(evidence: Evidence) -> Verdict:
    """Not worse than the live version over all queries, by Top-5 and by MRR."""
    if evidence.live is None:
        return Verdict("evaluation", True, "the first version: nothing to compare with", "")
    remedy = f"See `autosort evaluate {evidence.candidate}`; --force --reason goes live all the same."
    new, old = evidence.evaluation, evidence.live_evaluation
    if new is None or old is None:
        return Verdict("evaluation", False, f"not evaluated against {evidence.live}", remedy, waivable=True)
    figures = ", ".join(f"{label} {old[name]:.3f} → {new[name]:.3f}" for name, label in _COMPARED)
    passed = all(new[name] >= old[name] - MARGIN for name, _ in _COMPARED)
    return Verdict("evaluation", passed, f"{evidence.live} → {evidence.candidate}: {figures}", remedy, waivable=True)


_COMPARED = (("top5", "Top-5"), ("mrr", "MRR"))
