"""The gate: whether the evidence allows a version to become live. Pure functions of values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lifecycle.gate_policy import GatePolicy
from registry.errors import GateClosed
from registry.vectors.records import Coverage


@dataclass(frozen=True)
class OverallLift:
    """The candidate against the live version over all queries; p two-sided, low of the one-sided 95 % interval."""

    n: int
    new: float
    old: float
    p: float
    low: float


@dataclass(frozen=True)
class GenreLift:
    """The candidate against the live version in one genre; p after Holm's correction, None where queries are few."""

    n: int
    new: float
    old: float
    p_holm: float | None


@dataclass(frozen=True)
class UnseenLift:
    """Top-5 on playlists that were held out whole, against the base model; low of the one-sided 95 % interval."""

    n: int
    new: float
    old: float
    low: float


@dataclass(frozen=True)
class Trial:
    """What a candidate showed on the test split of its dataset, beside the live version and its base model.

    Attributes:
        live: the version that `overall`, `genres` and `golden_lost` compare with, and `base` the one of the rest.
        leaks: by name, how much of what is tested on was trained on; None if nothing was trained.
        overall: None where the two were not asked the same.
        general_similarity: the candidate's and the base model's; None where either was not measured.
        golden_lost: golden cases that the live version passes and the candidate does not.
        golden_asked: number of golden cases; None if there is no file of them.
    """

    live: str
    base: str | None = None
    leaks: Mapping[str, int] | None = None
    overall: OverallLift | None = None
    genres: Mapping[str, GenreLift] = field(default_factory=dict)
    unseen: UnseenLift | None = None
    general_similarity: tuple[float, float] | None = None
    golden_lost: Sequence[str] = ()
    golden_asked: int | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate when it asks to be promoted.

    Attributes:
        trial: None for the first version, which has nothing to be compared with.
        artifact_verified: whether the model's bytes have just been found to be the registered ones.
    """

    candidate: str
    trial: Trial | None
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
    verdicts = [_artifact(evidence), _coverage(evidence), _index(evidence, policy)]
    if evidence.trial is None:
        verdicts.append(Verdict("evaluation", True, "the first version: nothing to compare with", ""))
    else:
        verdicts += [judge(evidence.candidate, evidence.trial, policy) for judge in _TRIAL_RULES]
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


def _artifact(evidence: Evidence) -> Verdict:
    figure = "digest verified" if evidence.artifact_verified else "digest not verified"
    return Verdict("artifact", evidence.artifact_verified, figure, "Restore the artifact from a backup, or retrain.")


def _coverage(evidence: Evidence) -> Verdict:
    counts = asdict(evidence.coverage)
    wrong = ", ".join(f"{count} {name}" for name, count in counts.items() if count and name != "quarantined")
    figure = wrong or f"complete ({evidence.coverage.quarantined} quarantined)"
    remedy = f"Run `autosort reembed {evidence.candidate}`, then promote again."
    return Verdict("coverage", evidence.coverage.complete, figure, remedy)


def _index(evidence: Evidence, policy: GatePolicy) -> Verdict:
    recall = evidence.index_recall
    good = evidence.index_valid and recall is not None and recall >= policy.recall_floor
    found = "valid" if evidence.index_valid else "not valid"
    measured = "not measured" if recall is None else f"{recall:.3f} (at least {policy.recall_floor})"
    remedy = f"Run `autosort reembed {evidence.candidate}` to build it."
    return Verdict("index", good, f"{found}, recall@20 {measured}", remedy)


def _leak(candidate: str, trial: Trial, _policy: GatePolicy) -> Verdict:
    if trial.leaks is None:
        return Verdict("leak", True, f"{candidate} was not trained", "")
    found = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in trial.leaks.items() if count)
    remedy = "Its evaluation proves nothing. Retrain: a dataset that leaks is not built again."
    return Verdict("leak", not found, found or "nothing that is tested on was trained on", remedy)


def _overall(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """Better than the live version over all queries, or no worse if the policy asks for no more."""
    found = trial.overall
    if found is None:
        return _waivable("overall", candidate, False, f"not evaluated against {trial.live}")
    figure = f"{policy.metric} of {found.n} queries: {trial.live} {found.old:.3f}, {candidate} {found.new:.3f}"
    if found.n < policy.minimum_queries:
        return _waivable("overall", candidate, True, f"{figure}, insufficient")
    if policy.better_overall:
        better = found.new > found.old and found.p < policy.alpha
        return _waivable("overall", candidate, better, f"{figure}, p = {found.p:.4f} (better at {policy.alpha})")
    held = found.low >= -policy.overall_margin
    asked = f"surely no lower than {found.low:+.3f} (margin {policy.overall_margin})"
    return _waivable("overall", candidate, held, f"{figure}, {asked}")


def _genres(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    judged = {genre: each for genre, each in trial.genres.items() if each.p_holm is not None}
    worse = [
        f"{genre} {each.old:.3f} → {each.new:.3f} (n = {each.n}, p = {each.p_holm:.4f})"
        for genre, each in judged.items()
        if each.new < each.old and each.p_holm is not None and each.p_holm < policy.alpha
    ]
    few = len(trial.genres) - len(judged)
    figure = ", ".join(worse) or f"none of {len(judged)} significantly worse ({few} with too few queries)"
    return _waivable("genres", candidate, not worse, figure)


def _unseen_playlists(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """No worse than the base model on playlists that it knows by their text alone.

    With few held-out playlists the interval is wide: a version that came out no lower passes, one that came out lower
    must show that it is no lower than the margin allows.
    """
    found = trial.unseen
    if found is None:
        return _waivable("unseen_playlists", candidate, True, "no base model was asked the same")
    figure = f"Top-5 of {found.n} queries: {trial.base} {found.old:.3f}, {candidate} {found.new:.3f}"
    if found.n < policy.minimum_queries:
        return _waivable("unseen_playlists", candidate, True, f"{figure}, insufficient")
    held = found.new >= found.old or found.low >= -policy.unseen_playlist_margin
    asked = f"surely no lower than {found.low:+.3f} (margin {policy.unseen_playlist_margin})"
    return _waivable("unseen_playlists", candidate, held, f"{figure}, {asked}")


def _general_similarity(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    if trial.general_similarity is None:
        return _waivable("general_similarity", candidate, True, "not measured")
    new, old = trial.general_similarity
    kept = old - new <= policy.general_similarity_margin + 1e-9
    figure = f"Spearman {trial.base} {old:.3f}, {candidate} {new:.3f} (margin {policy.general_similarity_margin})"
    return _waivable("general_similarity", candidate, kept, figure)


def _golden(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    if trial.golden_asked is None:
        return _waivable("golden", candidate, True, "there are none (golden.yaml)")
    lost = ", ".join(trial.golden_lost)
    kept = not trial.golden_lost or not policy.golden_kept
    figure = f"of {trial.golden_asked} cases lost: {lost}" if lost else f"all that {trial.live} passes are passed"
    return _waivable("golden", candidate, kept, figure)


_TRIAL_RULES: tuple[Callable[[str, Trial, GatePolicy], Verdict], ...] = (
    _leak,
    _overall,
    _genres,
    _unseen_playlists,
    _general_similarity,
    _golden,
)


def _waivable(rule: str, candidate: str, passed: bool, figure: str) -> Verdict:
    remedy = f"See `autosort evaluate {candidate}`; --force --reason goes live all the same."
    return Verdict(rule, passed, figure, remedy, waivable=True)
