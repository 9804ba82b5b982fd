"""The gate's rules on what the candidate answered beside the live version."""

from collections.abc import Callable

from lifecycle.gate.evidence import Evidence
from lifecycle.gate.policy import GatePolicy
from lifecycle.gate.verdict import Verdict, waivable
from lifecycle.parallel.findings import Findings
from registry.parallel_runs import Kind


def judge(evidence: Evidence, policy: GatePolicy) -> list[Verdict]:
    """Every rule, or one verdict that there is nothing to judge by."""
    candidate, found = evidence.candidate, evidence.parallel
    if found is None:
        remedy = f"Run `autosort compare {candidate} --replay-recent {policy.compared_requests}`"
        return [waivable("parallel_run", passed=False, figure="never compared with the live version", remedy=remedy)]
    return [_enough(candidate, found, evidence.songs, policy), *(rule(candidate, found, policy) for rule in _RULES)]


def _enough(candidate: str, found: Findings, songs: int, policy: GatePolicy) -> Verdict:
    """Enough was compared, of live requests if the policy asks for them, and in the shares that were configured."""
    live, count = found.run.kind is Kind.LIVE, found.failures.n
    needed = policy.compared_requests if live else min(policy.compared_requests, songs)
    figure = (
        f"{count} {'live requests' if live else 'songs, replayed,'} compared with {found.run.live} (at least {needed})"
    )
    if not found.sound:
        remedy = "Its figures mean little. Look for what keeps requests out of the sample, then start the run again"
        return waivable("parallel_run", passed=False, figure=f"{figure}; sample ratio mismatch", remedy=remedy)
    if policy.live_traffic and not live:
        remedy = f"Run `autosort compare start {candidate}`"
        return waivable("parallel_run", passed=False, figure=f"{figure}; live ones are asked for", remedy=remedy)
    remedy = f"Wait, or run `autosort compare {candidate} --replay-recent {policy.compared_requests}`"
    return waivable("parallel_run", passed=count >= needed, figure=figure, remedy=remedy)


def _likeness(candidate: str, found: Findings, policy: GatePolicy) -> Verdict:
    """The answers have something in common: where they have nothing, one of the two is broken."""
    if found.likeness is None:
        return _verdict("likeness", candidate, True, "no song was answered by both")
    overlap, changed = found.likeness.overlap, found.likeness.first_changed
    figure = f"overlap@5 {overlap:.3f} (at least {policy.overlap_floor}), another first for {changed:.0%}"
    return _verdict("likeness", candidate, overlap >= policy.overlap_floor, figure)


def _latency(candidate: str, found: Findings, policy: GatePolicy) -> Verdict:
    """Surely no slower than the margin allows."""
    speed = found.speed
    if speed is None:
        return _verdict("latency", candidate, True, "nothing was timed")
    figure = (
        f"{speed.ratio:.2f} times {found.run.live}'s, surely no more than {speed.ratio_bounds.high:.2f} (at most "
        f"{1 + policy.latency_margin:.2f}); p50 {speed.live[0] * 1e3:.1f} → {speed.candidate[0] * 1e3:.1f} ms"
    )
    return _verdict("latency", candidate, speed.ratio_bounds.high <= 1 + policy.latency_margin, figure)


def _failures(candidate: str, found: Findings, policy: GatePolicy) -> Verdict:
    """No larger a share of failed requests than the margin allows."""
    failures = found.failures
    figure = f"{failures.candidate} of {failures.n} requests, {failures.live} by {found.run.live}"
    return _verdict("failures", candidate, failures.more <= policy.failure_margin, figure)


def _agreement(candidate: str, found: Findings, _policy: GatePolicy) -> Verdict:
    """Users do not surely prefer the live version's answers."""
    kinds = {"ranked": found.agreement, "interleaved": found.interleaving}
    worse = any(each.bounds.high < 0.5 for each in kinds.values())  # noqa: PLR2004 - an even share
    told = [
        f"{each.duels.won} of {each.duels.decided} {kind} for {candidate} (p = {each.p:.4f})"
        for kind, each in kinds.items()
        if each.duels.decided
    ]
    return _verdict("agreement", candidate, not worse, ", ".join(told) or "no feedback on what was compared")


_RULES: tuple[Callable[[str, Findings, GatePolicy], Verdict], ...] = (_likeness, _latency, _failures, _agreement)


def _verdict(rule: str, candidate: str, passed: bool, figure: str) -> Verdict:
    return waivable(rule, passed=passed, figure=figure, remedy=f"See `autosort compare {candidate}`")
