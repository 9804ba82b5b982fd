"""The gate as a pure function: what opens it, what closes it, what an operator may waive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.gate.decision import decide, require_open
from lifecycle.gate.evidence import Evidence, GenreLift, OverallLift, Trial, UnseenLift
from lifecycle.gate.policy import GatePolicy, read_policy
from lifecycle.parallel.findings import Failures
from registry.errors import BadInput, GateClosed
from registry.servers import Server
from registry.vectors.records import Coverage
from tests.support.findings import findings, likeness, preference, speed

POLICY = GatePolicy()
_NOW = datetime(2026, 5, 3, tzinfo=UTC)
COMPLETE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)
BETTER = OverallLift(n=400, new=0.6, old=0.5, p=0.001, low=0.05)
ROCK = GenreLift(n=60, new=0.5, old=0.5, p_holm=1.0)
UNSEEN = UnseenLift(n=200, new=0.8, old=0.6, low=0.1)
TRIAL = Trial(
    live="v1",
    base="v1",
    leaks={"test_songs_trained_on": 0},
    overall=BETTER,
    genres={"rock": ROCK},
    unseen=UNSEEN,
    general_similarity=(0.84, 0.844),
    golden_asked=20,
)
GOOD = Evidence(
    "v2",
    TRIAL,
    COMPLETE,
    songs=160,
    index_valid=True,
    index_used=True,
    index_recall=1.0,
    artifact_verified=True,
    parallel=findings(),
)


def failed(evidence: Evidence, policy: GatePolicy = POLICY) -> list[str]:
    return [verdict.rule for verdict in decide(evidence, policy).verdicts if not verdict.passed]


def tried(policy: GatePolicy = POLICY, **changes: Any) -> list[str]:
    return failed(replace(GOOD, trial=replace(TRIAL, **changes)), policy)


def test_good_evidence_opens_the_gate() -> None:
    decision = decide(GOOD, POLICY)
    assert decision.passed
    require_open(decision, force=False)
    assert decision.as_json()["policy"] == POLICY.model_dump(mode="json")


@pytest.mark.parametrize("what", ["missing", "stale", "orphaned", "playlists"])
def test_incomplete_coverage_closes_it_with_the_count_and_the_remedy(what: str) -> None:
    decision = decide(replace(GOOD, coverage=replace(COMPLETE, **{what: 3})), POLICY)
    assert [verdict.rule for verdict in decision.verdicts if not verdict.passed] == ["coverage"]
    with pytest.raises(GateClosed, match=f"3 {what}.*autosort reembed v2"):
        require_open(decision, force=False)


def test_quarantined_songs_alone_do_not_close_it() -> None:
    assert failed(replace(GOOD, coverage=replace(COMPLETE, quarantined=2))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"index_valid": False},
        {"index_used": False},
        {"index_recall": None},
        {"index_recall": POLICY.recall_floor - 0.001},
    ],
)
def test_an_index_that_is_missing_or_finds_too_little_closes_it(change: dict[str, Any]) -> None:
    assert failed(replace(GOOD, **change)) == ["index"]


def test_better_overall_means_significantly_better() -> None:
    assert tried(overall=replace(BETTER, p=POLICY.alpha + 0.001)) == ["overall"]
    assert tried(overall=replace(BETTER, new=BETTER.old - 0.1)) == ["overall"]
    assert tried(overall=None) == ["overall"]


def test_where_no_worse_is_enough_the_margin_decides() -> None:
    policy = POLICY.model_copy(update={"better_overall": False})
    same = OverallLift(n=400, new=0.5, old=0.5, p=1.0, low=-policy.overall_margin)
    assert tried(policy, overall=same) == []
    assert tried(policy, overall=replace(same, low=-policy.overall_margin - 0.001)) == ["overall"]
    assert tried(overall=same) == ["overall"]


def test_a_genre_that_is_significantly_worse_closes_it_and_is_named() -> None:
    worse = GenreLift(n=40, new=0.3, old=0.6, p_holm=0.01)
    decision = decide(replace(GOOD, trial=replace(TRIAL, genres={"rock": ROCK, "jazz": worse})), POLICY)
    (refused,) = (verdict for verdict in decision.verdicts if not verdict.passed)
    assert refused.rule == "genres"
    assert "jazz 0.600 → 0.300" in refused.figure
    assert "rock" not in refused.figure
    assert tried(genres={"jazz": replace(worse, p_holm=POLICY.alpha)}) == []
    assert tried(genres={"jazz": replace(worse, p_holm=None)}) == []
    assert tried(genres={"jazz": replace(worse, new=0.9)}) == []


def test_forgetting_unseen_playlists_closes_it() -> None:
    lost = UnseenLift(n=200, new=0.55, old=0.6, low=-0.09)
    assert tried(unseen=lost) == ["unseen_playlists"]
    # Lower by less than the margin, and surely so.
    assert tried(unseen=replace(lost, new=0.595, low=-POLICY.unseen_playlist_margin)) == []
    # Came out no lower: a wide interval alone does not refuse.
    assert tried(unseen=replace(lost, new=0.6)) == []
    assert tried(unseen=replace(lost, n=POLICY.minimum_queries - 1)) == []
    assert tried(unseen=None) == []


def test_forgetting_general_similarity_closes_it() -> None:
    margin = POLICY.general_similarity_margin
    assert tried(general_similarity=(0.8, 0.8 + margin)) == []
    assert tried(general_similarity=(0.8, 0.801 + margin)) == ["general_similarity"]
    assert tried(general_similarity=None) == []


def test_a_golden_case_that_is_lost_closes_it_and_is_named() -> None:
    decision = decide(replace(GOOD, trial=replace(TRIAL, golden_lost=("Band - Song",))), POLICY)
    (refused,) = (verdict for verdict in decision.verdicts if not verdict.passed)
    assert refused.rule == "golden"
    assert "Band - Song" in refused.figure
    policy = POLICY.model_copy(update={"golden_kept": False})
    assert tried(policy, golden_lost=("Band - Song",)) == []
    assert tried(golden_asked=None) == []


def test_too_few_queries_never_refuse() -> None:
    few = replace(BETTER, n=POLICY.minimum_queries - 1, new=0.1)
    assert tried(overall=few) == []


def test_a_leak_closes_it_even_to_force() -> None:
    decision = decide(replace(GOOD, trial=replace(TRIAL, leaks={"test_songs_trained_on": 7})), POLICY)
    with pytest.raises(GateClosed, match="7 test songs trained on"):
        require_open(decision, force=True)
    assert tried(leaks=None) == []


def test_the_first_version_has_nothing_to_be_compared_with() -> None:
    assert failed(replace(GOOD, trial=None)) == []
    assert failed(replace(GOOD, trial=None, index_valid=False)) == ["index"]


@given(missing=st.integers(0, 2), valid=st.booleans(), verified=st.booleans(), p=st.floats(0, 1))
def test_force_overrides_the_evaluation_and_nothing_else(missing: int, valid: bool, verified: bool, p: float) -> None:
    evidence = replace(
        GOOD,
        coverage=replace(COMPLETE, missing=missing),
        index_valid=valid,
        artifact_verified=verified,
        trial=replace(TRIAL, overall=replace(BETTER, p=p)),
    )
    decision = decide(evidence, POLICY)
    sound = missing == 0 and valid and verified
    if sound:
        require_open(decision, force=True)
    else:
        with pytest.raises(GateClosed):
            require_open(decision, force=True)
    assert decision.passed == (sound and p < POLICY.alpha)


def test_every_verdict_tells_its_figure_and_every_failure_a_remedy() -> None:
    bad = Evidence(
        "v2",
        Trial(
            live="v1",
            base="v1",
            leaks={"test_songs_trained_on": 1},
            overall=replace(BETTER, new=0.1),
            genres={"jazz": GenreLift(n=40, new=0.3, old=0.6, p_holm=0.01)},
            unseen=UnseenLift(n=200, new=0.5, old=0.6, low=-0.2),
            general_similarity=(0.5, 0.8),
            golden_asked=20,
            golden_lost=("Band - Song",),
        ),
        replace(COMPLETE, missing=1, quarantined=20),
        songs=160,
        index_valid=False,
        index_used=False,
        index_recall=None,
        artifact_verified=False,
        parallel=findings(
            failures=Failures(10, 0, 1), likeness=likeness(0.0), speed=speed(2.0, 3.0), agreement=preference(0, 99)
        ),
        servers=[Server("a", "v1", 1, ("v1",), None, _NOW, _NOW, timedelta(0))],
    )
    verdicts = decide(bad, POLICY).verdicts
    assert all(verdict.figure and verdict.remedy and not verdict.passed for verdict in verdicts)
    assert len({verdict.rule for verdict in verdicts}) == len(verdicts) == 16


def test_the_policy_is_read_from_the_home(tmp_path: Path) -> None:
    assert read_policy(tmp_path) == GatePolicy()
    (tmp_path / "gate.toml").write_text("alpha = 0.01\nbetter_overall = false\n")
    assert read_policy(tmp_path) == GatePolicy(alpha=0.01, better_overall=False)


@pytest.mark.parametrize(
    ("text", "told"),
    [("alpha = 2", "alpha"), ("alhpa = 0.01", "alhpa"), ("metric = 'loss'", "metric"), ("alpha =", "not valid TOML")],
)
def test_a_policy_that_cannot_be_used_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "gate.toml").write_text(text)
    with pytest.raises(BadInput, match=told):
        read_policy(tmp_path)
