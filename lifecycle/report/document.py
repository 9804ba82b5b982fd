"""What a report tells of a version, as one JSON document: gathered here, drawn elsewhere."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.comparison import compare
from lifecycle.evaluation import dataset_of, evaluate_version
from lifecycle.golden.report import golden_reports
from lifecycle.outcomes import Outcomes
from lifecycle.progress import Progress
from lifecycle.promotion import preview
from lifecycle.workspace import Workspace
from registry import pointer, versions
from registry.database import Connection
from registry.errors import AutosortError, NotFound
from registry.pointer import AuditEntry, Pointer
from registry.stages import GIVEN_UP
from registry.versions import ModelVersion
from training.audit import audit
from training.dataset import PairDataset

Document = dict[str, Any]


@dataclass(frozen=True)
class _Subject:
    """The version that is reported on and those it is measured against.

    Attributes:
        against: the live version or, where the version is live itself, the one that it replaced.
        base: the version that it was fine-tuned from.
        promotion: the act that made it live, if it ever was.
        fingerprint: of the dataset that all of them are tested on.
    """

    version: ModelVersion
    pointer: Pointer
    against: str | None
    base: str | None
    promotion: AuditEntry | None
    fingerprint: str | None


def collect(workspace: Workspace, name: str, progress: Progress) -> Document:
    """Gather the report of a version; evaluations that are missing are made now and kept.

    What cannot be known (a dataset on another machine, vectors not made yet) is None, with the reason beside it.

    Raises:
        NotFound: there is no such version.
    """
    with workspace.database.transaction() as connection:
        subject = _subject(connection, name)
    dataset, missing = _dataset(workspace, subject.fingerprint)
    evaluations = _evaluations(workspace, subject, progress, dataset)
    golden = golden_reports(workspace, name, progress)
    version = subject.version
    return {
        "version": version.version,
        "stage": version.stage.value,
        "registered_at": version.registered_at.isoformat(timespec="seconds"),
        "recipe": version.recipe,
        "gate": _gate(workspace, subject, progress),
        "evaluation": evaluations.get(version.version),
        "live": subject.pointer.live,
        "against": _opponent(workspace, subject, subject.against, evaluations),
        "base": _opponent(workspace, subject, subject.base, evaluations),
        "golden": golden_changes(golden, {"golden": golden["golden_before"]}),
        "dataset": {"fingerprint": subject.fingerprint, "missing": missing, **(_described(dataset) if dataset else {})},
        "training": version.spec.training.model_dump(mode="json") if version.spec.training else None,
        "specification": version.spec.model_dump(mode="json", exclude={"training"}),
    }


def golden_changes(after: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Each golden case as the version answers it, with what the other version made of it, by song.

    Returns:
        {"song", "passed", "reason", "before" (None where it was not asked or asked otherwise), "must", "must_not"};
        each playlist with its "rank", "before" (its rank then) and "passed".
    """
    then = _cases(before)
    return [
        {
            "song": song,
            "passed": case["passed"],
            "reason": case["reason"],
            "before": then[song]["passed"] if song in then else None,
            "must": _ranks(case, then.get(song), "must"),
            "must_not": _ranks(case, then.get(song), "must_not"),
        }
        for song, case in _cases(after).items()
    ]


def _subject(connection: Connection, name: str) -> _Subject:
    version = versions.get(connection, name)
    present = pointer.read(connection)
    known = versions.list_all(connection)
    return _Subject(
        version=version,
        pointer=present,
        against=present.previous if present.live == name else present.live,
        base=version.spec.training.parent if version.spec.training else None,
        promotion=pointer.last_promotion(connection, name),
        fingerprint=_fingerprint(version, known),
    )


def _fingerprint(version: ModelVersion, known: Sequence[ModelVersion]) -> str | None:
    try:
        return dataset_of(version, known)
    except NotFound:
        return None


def _dataset(workspace: Workspace, fingerprint: str | None) -> tuple[PairDataset | None, str | None]:
    """The dataset, or why it is not to be had."""
    if fingerprint is None:
        return None, "Nothing was trained yet, so there is no dataset to test on. Run `autosort retrain`."
    try:
        return PairDataset.load(workspace.datasets, fingerprint), None
    except AutosortError as error:
        return None, str(error)


def _evaluations(
    workspace: Workspace, subject: _Subject, progress: Progress, dataset: PairDataset | None
) -> dict[str, dict[str, Any]]:
    """Reports on the same test split, by version: those that are kept and, where the dataset is here, the others."""
    names = dict.fromkeys(each for each in (subject.version.version, subject.against, subject.base) if each)
    found: dict[str, dict[str, Any]] = {}
    for name in names if subject.fingerprint else ():
        with workspace.database.transaction() as connection:
            kept = versions.find_evaluation(connection, name, subject.fingerprint or "")
            usable = versions.get(connection, name).stage not in GIVEN_UP
        if kept is None and dataset is not None and usable:
            kept = evaluate_version(workspace, name, progress, dataset=subject.fingerprint)
        if kept is not None:
            found[name] = kept
    return found


def _opponent(
    workspace: Workspace, subject: _Subject, name: str | None, evaluations: Mapping[str, dict[str, Any]]
) -> dict[str, Any] | None:
    """Another version with its evaluation and what the comparison with it gave."""
    if name is None or name == subject.version.version:
        return None
    with workspace.database.transaction() as connection:
        pair = (subject.version.version, name)
        outcomes = [versions.find_outcomes(connection, each, subject.fingerprint or "") for each in pair]
    new, old = (Outcomes.from_json(each) if each else None for each in outcomes)
    comparison = compare(new, old).as_json() if new and old else None
    return {"version": name, "evaluation": evaluations.get(name), "comparison": comparison}


def _gate(workspace: Workspace, subject: _Subject, progress: Progress) -> dict[str, Any]:
    """The gate's decision: the one that made the version live, else what it would be now, else why there is none."""
    act = subject.promotion
    if act is not None:
        decision = {"candidate": act.version, **act.evidence}
        return {"decision": decision, "at": act.at.isoformat(timespec="seconds"), "reason": act.reason, "unknown": None}
    try:
        decision = preview(workspace, subject.version.version, progress).as_json()
    except AutosortError as error:
        return {"decision": None, "at": None, "reason": None, "unknown": str(error)}
    return {"decision": decision, "at": None, "reason": None, "unknown": None}


def _described(dataset: PairDataset) -> dict[str, Any]:
    return {
        "songs": len(dataset.songs),
        "playlists": len(dataset.playlists),
        "clusters": len(set(dataset.clusters.values())),
        "pairs": len(dataset.pairs),
        "sources": dict(sorted(Counter(pair.source for pair in dataset.pairs).items())),
        "template": dataset.template,
        "audit": audit(dataset).as_json(),
    }


def _cases(evaluation: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    golden = (evaluation or {}).get("golden") or {}
    return {case["song"]: case for case in golden.get("cases", ())}


def _ranks(case: Mapping[str, Any], then: Mapping[str, Any] | None, kind: str) -> list[dict[str, Any]]:
    ranks = {each["playlist"]: each["rank"] for each in (then or {}).get(kind, ())}
    return [{**each, "before": ranks.get(each["playlist"])} for each in case.get(kind, ())]
