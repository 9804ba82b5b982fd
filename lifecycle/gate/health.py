"""The gate's rules on a candidate's model, vectors and index, and on the servers that are to answer with it."""

from collections.abc import Callable
from dataclasses import asdict

from lifecycle.gate.evidence import Evidence
from lifecycle.gate.policy import GatePolicy
from lifecycle.gate.verdict import Verdict, waivable
from registry.vectors.records import quarantine_limit


def artifact(evidence: Evidence, _policy: GatePolicy) -> Verdict:
    """The models are the registered ones, byte by byte."""
    figure = "digest verified" if evidence.artifact_verified else "digest not verified"
    return Verdict("artifact", evidence.artifact_verified, figure, "Restore the artifact from a backup, or retrain.")


def coverage(evidence: Evidence, _policy: GatePolicy) -> Verdict:
    """Every song has a current vector, or is set aside with its reason."""
    counts = asdict(evidence.coverage)
    wrong = ", ".join(f"{count} {name}" for name, count in counts.items() if count and name != "quarantined")
    figure = wrong or f"complete ({evidence.coverage.quarantined} quarantined)"
    remedy = f"Run `autosort reembed {evidence.candidate}`, then promote again."
    return Verdict("coverage", evidence.coverage.complete, figure, remedy)


def index(evidence: Evidence, policy: GatePolicy) -> Verdict:
    """The index is whole, searches use it, and it finds what an exact search finds."""
    recall = evidence.index_recall
    good = evidence.index_valid and evidence.index_used and recall is not None and recall >= policy.recall_floor
    found = ("valid" if evidence.index_valid else "not valid") + (
        "" if evidence.index_used else ", not used by searches"
    )
    measured = "not measured" if recall is None else f"{recall:.3f} (at least {policy.recall_floor})"
    remedy = f"Run `autosort reembed {evidence.candidate}` to build it."
    return Verdict("index", good, f"{found}, recall@20 {measured}", remedy)


def quarantine(evidence: Evidence, _policy: GatePolicy) -> Verdict:
    """Few songs are set aside."""
    count, allowed = evidence.coverage.quarantined, quarantine_limit(evidence.songs)
    remedy = "`autosort status` lists them with their reasons: mend the songs or the model."
    return Verdict("quarantine", count <= allowed, f"{count} of {evidence.songs} songs (at most {allowed})", remedy)


def servers(evidence: Evidence, _policy: GatePolicy) -> Verdict:
    """Every server that runs holds the version, loaded and warm."""
    cold = [each for each in evidence.servers if evidence.candidate not in each.warm]
    if not evidence.servers:
        figure = "none runs"
    elif cold:
        told = "; ".join(f"{each.server}: {each.problem or 'not loaded yet'}" for each in cold)
        figure = f"{len(cold)} of {len(evidence.servers)} do not hold it ready: {told}"
    else:
        figure = f"all of {len(evidence.servers)} hold it ready"
    remedy = "See its log; mend it, or stop it"
    return waivable("servers", passed=not cold, figure=figure, remedy=remedy)


RULES: tuple[Callable[[Evidence, GatePolicy], Verdict], ...] = (artifact, coverage, quarantine, index, servers)
