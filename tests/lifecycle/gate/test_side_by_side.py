"""The gate's rules on what a candidate answered beside the live version."""

from dataclasses import replace
from typing import Any

import pytest

from lifecycle.gate.evidence import Evidence
from lifecycle.gate.policy import GatePolicy
from lifecycle.gate.side_by_side import judge
from lifecycle.parallel.findings import Failures, Sampling
from registry.parallel_runs import Kind
from registry.vectors.records import Coverage
from tests.support.findings import RUN, findings, likeness, preference, speed

COVERAGE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)
INDEX: dict[str, Any] = {"index_valid": True, "index_used": True, "index_recall": 1.0}
EVIDENCE = Evidence("v2", None, COVERAGE, 5_000, **INDEX, artifact_verified=True)
REPLAYED = replace(RUN, kind=Kind.REPLAY)


def failed(policy: GatePolicy | None = None, songs: int = 5_000, **changes: Any) -> list[str]:
    evidence = replace(EVIDENCE, songs=songs, parallel=findings(**changes))
    verdicts = judge(evidence, policy or GatePolicy())
    assert all(verdict.waivable for verdict in verdicts)
    return [verdict.rule for verdict in verdicts if not verdict.passed]


def test_good_findings_pass() -> None:
    assert failed() == []


def test_a_version_that_was_never_compared_is_refused_with_what_to_do() -> None:
    (verdict,) = judge(EVIDENCE, GatePolicy())
    assert (verdict.rule, verdict.passed) == ("parallel_run", False)
    assert "autosort compare v2 --replay-recent 200" in verdict.remedy


@pytest.mark.parametrize(("n", "expected"), [(199, ["parallel_run"]), (200, [])])
def test_enough_must_be_compared(n: int, expected: list[str]) -> None:
    assert failed(failures=Failures(n, 0, 0)) == expected


def test_of_a_small_catalogue_all_songs_are_enough_but_not_so_few_live_requests() -> None:
    assert failed(songs=160, run=REPLAYED, failures=Failures(160, 0, 0)) == []
    assert failed(songs=160, failures=Failures(160, 0, 0)) == ["parallel_run"]


def test_a_policy_may_ask_for_live_requests() -> None:
    asks = GatePolicy(live_traffic=True)
    assert failed(asks) == []
    assert failed(asks, run=REPLAYED) == ["parallel_run"]


def test_findings_of_a_broken_sample_are_refused() -> None:
    assert failed(sampling=Sampling.of(0.2, 400, 1_500)) == ["parallel_run"]


def test_answers_that_have_nothing_in_common_are_refused() -> None:
    assert failed(likeness=likeness(0.05)) == ["likeness"]


@pytest.mark.parametrize(("high", "expected"), [(1.25, []), (1.26, ["latency"])])
def test_it_must_surely_be_no_slower_than_the_margin_allows(high: float, expected: list[str]) -> None:
    assert failed(speed=speed(1.0, high)) == expected


@pytest.mark.parametrize(
    ("live", "candidate", "expected"), [(0, 1, []), (0, 2, ["failures"]), (5, 6, []), (5, 7, ["failures"])]
)
def test_it_must_not_fail_more(live: int, candidate: int, expected: list[str]) -> None:
    assert failed(failures=Failures(300, live, candidate)) == expected


@pytest.mark.parametrize(("won", "lost", "expected"), [(0, 0, []), (8, 12, []), (5, 40, ["agreement"]), (40, 5, [])])
def test_users_must_not_surely_prefer_the_live_version(won: int, lost: int, expected: list[str]) -> None:
    assert failed(agreement=preference(won, lost)) == expected
    assert failed(interleaving=preference(won, lost)) == expected
