"""A candidate's trial: its evaluation beside the live version's and its base model's, on the same test split."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.comparison import Comparison, compare
from lifecycle.evaluation import dataset_of, evaluate_version
from lifecycle.gate.evidence import GenreLift, OverallLift, Trial, UnseenLift
from lifecycle.gate.policy import GatePolicy
from lifecycle.golden.report import golden_report
from lifecycle.outcomes import Outcomes
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import versions
from training.splits import UNSEEN_PLAYLISTS

_UNSEEN_METRIC = "top5"


def try_out(workspace: Workspace, name: str, live: str, policy: GatePolicy, progress: Progress) -> Trial:
    """Compare a version with the live one and with its base model; evaluations that are missing are made now.

    Where nothing was trained yet there is nothing to test on, and nothing is compared.

    Raises:
        NotFound: the dataset of a training is not on this machine, and its evaluation was not kept either.
    """
    with workspace.database.transaction() as connection:
        version, opponent = versions.get(connection, name), versions.get(connection, live)
    trained = next((each for each in (version, opponent) if each.spec.training), None)
    golden = _golden(workspace, name, live, progress)
    if trained is None:
        return replace(Trial(live), **golden)
    dataset = dataset_of(trained, [])
    base = version.spec.training.parent if version.spec.training else None
    shown = {
        each: _shown(workspace, each, dataset, progress)
        for each in dict.fromkeys((name, live, base))
        if each is not None
    }
    trial = tried(shown[name], shown[live], shown.get(base or ""), policy)
    return replace(trial, **golden) if base else replace(trial, leaks=None, **golden)


@dataclass(frozen=True)
class Shown:
    """What a version showed on a dataset's test split: its report, and what came of each query."""

    version: str
    report: Mapping[str, Any]
    outcomes: Outcomes


def tried(candidate: Shown, live: Shown, base: Shown | None, policy: GatePolicy) -> Trial:
    """The trial of a candidate by what it, the live version and its base model showed on the same test split."""
    against_live = compare(candidate.outcomes, live.outcomes)
    return Trial(
        live=live.version,
        base=base.version if base else None,
        leaks=candidate.report["audit"]["overlaps"],
        overall=_overall(against_live, policy),
        genres=_genres(against_live, policy),
        unseen=_unseen(compare(candidate.outcomes, base.outcomes), policy) if base else None,
        general_similarity=_similarities(candidate.report, base.report) if base else None,
    )


def _shown(workspace: Workspace, name: str, dataset: str, progress: Progress) -> Shown:
    report = evaluate_version(workspace, name, progress, dataset=dataset)
    with workspace.database.transaction() as connection:
        outcomes = versions.find_outcomes(connection, name, dataset)
    return Shown(name, report, Outcomes.from_json(outcomes or {}))


def _overall(comparison: Comparison, policy: GatePolicy) -> OverallLift | None:
    found = comparison.overall(policy.metric)
    if found is None:
        return None
    low = comparison.no_worse(policy.metric, None, policy.overall_margin).low
    return OverallLift(found.n, found.new, found.old, found.p, low)


def _genres(comparison: Comparison, policy: GatePolicy) -> dict[str, GenreLift]:
    return {
        genre: GenreLift(each.found.n, each.found.new, each.found.old, each.p_holm)
        for genre, each in comparison.genres(policy.metric, policy.minimum_queries).items()
    }


def _unseen(comparison: Comparison, policy: GatePolicy) -> UnseenLift | None:
    """Over all queries of held-out playlists, whether the song was trained on or not."""
    names = [split.value for split in UNSEEN_PLAYLISTS]
    found = comparison.overall(_UNSEEN_METRIC, names)
    if found is None:
        return None
    low = comparison.no_worse(_UNSEEN_METRIC, names, policy.unseen_playlist_margin).low
    return UnseenLift(found.n, found.new, found.old, low)


def _similarities(new: Mapping[str, Any], old: Mapping[str, Any]) -> tuple[float, float]:
    return new["general_similarity"]["spearman"], old["general_similarity"]["spearman"]


def _golden(workspace: Workspace, name: str, live: str, progress: Progress) -> dict[str, Any]:
    after, before = (golden_report(workspace, each, progress) for each in (name, live))
    if after is None or before is None:
        return {}
    kept = {case["song"] for case in after["cases"] if case["passed"]}
    lost = tuple(case["song"] for case in before["cases"] if case["passed"] and case["song"] not in kept)
    return {"golden_asked": len(after["cases"]), "golden_lost": lost}
