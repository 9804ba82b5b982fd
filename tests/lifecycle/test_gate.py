from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.gate import MARGIN, RECALL_FLOOR, Evidence, decide, require_open
from registry.errors import GateClosed
from registry.vectors import Coverage

COMPLETE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)
GOOD = Evidence(
    candidate="v2",
    live="v1",
    evaluation={"top5": 0.8, "mrr": 0.6},
    live_evaluation={"top5": 0.7, "mrr": 0.5},
    coverage=COMPLETE,
    index_valid=True,
    index_recall=1.0,
    artifact_verified=True,
)


def failed(evidence: Evidence) -> list[str]:
    return [verdict.rule for verdict in decide(evidence).verdicts if not verdict.passed]


def test_good_evidence_opens_the_gate() -> None:
    decision = decide(GOOD)
    assert decision.passed
    require_open(decision, force=False)


@pytest.mark.parametrize("what", ["missing", "stale", "orphaned", "playlists"])
def test_incomplete_coverage_closes_it_with_the_count_and_the_remedy(what: str) -> None:
    decision = decide(replace(GOOD, coverage=replace(COMPLETE, **{what: 3})))
    assert [verdict.rule for verdict in decision.verdicts if not verdict.passed] == ["coverage"]
    with pytest.raises(GateClosed, match=f"3 {what}.*autosort reembed v2"):
        require_open(decision, force=False)


def test_quarantined_songs_alone_do_not_close_it() -> None:
    assert failed(replace(GOOD, coverage=replace(COMPLETE, quarantined=2))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"index_valid": False},
        {"index_recall": None},
        {"index_recall": RECALL_FLOOR - 0.001},
    ],
)
def test_an_index_that_is_missing_or_finds_too_little_closes_it(change: dict[str, Any]) -> None:
    assert failed(replace(GOOD, **change)) == ["index"]


@pytest.mark.parametrize("metric", ["top5", "mrr"])
def test_a_worse_evaluation_closes_it_and_a_margin_does_not(metric: str) -> None:
    live = {"top5": 0.7, "mrr": 0.5}
    within = {**live, metric: live[metric] - MARGIN / 2}
    beyond = {**live, metric: live[metric] - MARGIN * 2}
    assert failed(replace(GOOD, evaluation=within)) == []
    assert failed(replace(GOOD, evaluation=beyond)) == ["evaluation"]


def test_no_evaluation_closes_it_but_for_the_first_version() -> None:
    assert failed(replace(GOOD, evaluation=None)) == ["evaluation"]
    assert failed(replace(GOOD, live_evaluation=None)) == ["evaluation"]
    assert failed(replace(GOOD, live=None, evaluation=None, live_evaluation=None)) == []


@given(
    missing=st.integers(0, 2),
    valid=st.booleans(),
    verified=st.booleans(),
    mrr=st.floats(0, 1),
)
def test_force_overrides_the_evaluation_and_nothing_else(missing: int, valid: bool, verified: bool, mrr: float) -> None:
    evidence = replace(
        GOOD,
        coverage=replace(COMPLETE, missing=missing),
        index_valid=valid,
        artifact_verified=verified,
        evaluation={"top5": 0.8, "mrr": mrr},
    )
    decision = decide(evidence)
    sound = missing == 0 and valid and verified
    if sound:
        require_open(decision, force=True)
    else:
        with pytest.raises(GateClosed):
            require_open(decision, force=True)
    assert decision.passed == (sound and mrr >= 0.5 - MARGIN)


def test_every_verdict_tells_its_figure_and_every_failure_a_remedy() -> None:
    bad = replace(
        GOOD,
        coverage=replace(COMPLETE, missing=1),
        index_valid=False,
        artifact_verified=False,
        evaluation={"top5": 0.1, "mrr": 0.1},
    )
    verdicts = decide(bad).verdicts
    assert all(verdict.figure and verdict.remedy and not verdict.passed for verdict in verdicts)
