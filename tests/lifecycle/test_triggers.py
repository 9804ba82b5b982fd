"""When a retraining is due: pure functions of facts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from lifecycle.feedback import Judgement, Move, judgements_of, last_words, moves_of
from lifecycle.triggers import Facts, Hits, Trigger, check, due, worse
from registry.records import Feedback, Verdict

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
PROMOTED = datetime(2026, 4, 10, tzinfo=UTC)
TRAINED = datetime(2026, 4, 5, tzinfo=UTC)
QUIET = Facts(
    now=NOW,
    live="v2",
    base=False,
    candidate=None,
    trained_at=TRAINED,
    promoted_at=PROMOTED,
    usable_pairs=20_000,
    new_pairs=0,
    judgements=(),
    moves=(),
    genres={"j": "jazz", "j2": "jazz", "r": "rock", "p": "pop"},
    names={"j": "Blue Hour", "j2": "Smoke", "r": "Loud", "p": "Shine"},
)


def trigger(facts: Facts, name: str) -> Trigger:
    (found,) = (each for each in check(facts) if each.name == name)
    return found


def held(facts: Facts) -> list[str]:
    return [each.name for each in check(facts) if each.holds]


def said(playlist_id: str, rejected: int, of: int, at: datetime) -> list[Judgement]:
    return [Judgement(at, "ada", f"s{number}", playlist_id, number < rejected) for number in range(of)]


def feedback(verdict: Verdict, at: datetime, **changes: Any) -> Feedback:
    return Feedback(**{"user": "ada", "song_id": "s", "playlist_id": "j", "verdict": verdict, "at": at, **changes})


def test_where_nothing_happened_nothing_is_due() -> None:
    assert held(QUIET) == []
    assert not due(check(QUIET))
    assert [each.name for each in check(QUIET)] == [
        "new_pairs",
        "reject_rate",
        "top5",
        "playlist_feedback",
        "moves",
        "quarter",
    ]


@pytest.mark.parametrize(("pairs", "holds"), [(4_999, False), (5_000, True), (5_001, True)])
def test_five_thousand_new_pairs(pairs: int, holds: bool) -> None:
    found = trigger(replace(QUIET, new_pairs=pairs), "new_pairs")
    assert found.holds is holds
    assert f"{pairs:,} new usable pairs since the dataset of v2 (at least 5,000)" in found.figure


def test_pairs_that_cannot_be_compared_are_said_to_be_unknown_and_make_nothing_due() -> None:
    facts = replace(QUIET, new_pairs=None)
    found = trigger(facts, "new_pairs")
    assert found.holds is None
    assert "not on this machine" in found.figure
    assert not due(check(facts))


def test_a_genre_that_is_rejected_more_than_before_the_promotion() -> None:
    before = said("j", 10, 100, PROMOTED - timedelta(days=1)) + said("r", 10, 100, PROMOTED - timedelta(days=1))
    since = said("j", 15, 40, PROMOTED) + said("j2", 15, 40, NOW) + said("r", 10, 100, NOW)
    facts = replace(QUIET, judgements=before + since)
    found = trigger(facts, "reject_rate")
    assert found.holds
    assert "jazz 30 of 80 against 10 of 100" in found.figure
    rows = {row["genre"]: row for row in found.details}
    assert (rows["jazz"]["significant"], rows["rock"]["significant"]) == (True, False)
    assert rows["jazz"]["p_holm"] == pytest.approx(2 * rows["jazz"]["p"])
    assert rows["jazz"]["p"] == pytest.approx(float(hypergeom.sf(29, 180, 40, 80)))


def test_a_genre_that_is_rejected_less_is_no_reason() -> None:
    before, since = said("j", 60, 100, PROMOTED - timedelta(days=1)), said("j", 5, 100, NOW)
    assert not trigger(replace(QUIET, judgements=before + since), "reject_rate").holds


@pytest.mark.parametrize(("before", "since"), [(29, 100), (100, 29)])
def test_under_thirty_verdicts_on_either_side_nothing_is_said_of_a_genre(before: int, since: int) -> None:
    judgements = said("j", 0, before, PROMOTED - timedelta(days=1)) + said("j", since, since, NOW)
    found = trigger(replace(QUIET, judgements=judgements), "reject_rate")
    assert not found.holds
    assert "0 of 1 have enough" in found.figure
    assert found.details[0]["p"] is None


def test_one_bad_genre_of_twenty_by_chance_is_no_reason() -> None:
    """p of about 0.03 in one of twenty comparisons: what chance alone brings."""
    genres = {f"p{number}": f"genre {number}" for number in range(20)}
    judgements = [
        each
        for name in genres
        for each in said(name, 5, 40, PROMOTED - timedelta(days=1)) + said(name, 13 if name == "p0" else 5, 40, NOW)
    ]
    found = trigger(replace(QUIET, genres=genres, judgements=judgements), "reject_rate")
    assert 0.01 < found.details[0]["p"] < 0.05
    assert not found.holds


def test_a_genre_that_the_live_version_misses_more_on_newer_data() -> None:
    older = {"jazz": Hits(90, 100), "rock": Hits(80, 100), "pop": Hits(20, 20)}
    newer = {"jazz": Hits(60, 100), "rock": Hits(81, 100), "pop": Hits(0, 20)}
    found = trigger(replace(QUIET, hits=(older, newer)), "top5")
    assert found.holds
    assert "jazz 40 of 100 against 10 of 100" in found.figure
    assert [row["genre"] for row in found.details if row["significant"]] == ["jazz"]
    assert not trigger(replace(QUIET, hits=(newer, older)), "top5").details[0]["significant"]


def test_a_playlist_that_is_rejected_more_than_the_rest() -> None:
    facts = replace(QUIET, judgements=said("j", 10, 12, NOW) + said("r", 10, 100, NOW) + said("p", 9, 9, NOW))
    found = trigger(facts, "playlist_feedback")
    assert found.holds
    assert "Blue Hour 10 of 12 against 19 of 109" in found.figure
    assert "Shine" not in found.figure  # nine rejects are too few to say anything
    assert [row["significant"] for row in found.details] == [True, False]


def test_songs_that_are_moved_back_and_forth_between_two_playlists() -> None:
    there = [Move(NOW, "ada", f"s{number}", "j", "j2") for number in range(6)]
    back = [Move(NOW, "ada", f"t{number}", "j2", "j") for number in range(4)]
    elsewhere = [Move(NOW, "ada", f"u{number}", "r", "p") for number in range(9)]
    found = trigger(replace(QUIET, moves=there + back + elsewhere), "moves")
    assert found.holds
    assert "19 moves" in found.figure
    assert "10 between Blue Hour and Smoke" in found.figure
    assert not trigger(replace(QUIET, moves=there + back[1:] + elsewhere), "moves").holds


def test_what_the_live_version_could_learn_from_is_no_reason_to_train_again() -> None:
    old = TRAINED - timedelta(days=1)
    moves = [Move(old, "ada", f"s{number}", "j", "j2") for number in range(20)]
    judgements = said("j", 50, 50, old) + said("r", 0, 100, old)
    facts = replace(QUIET, moves=moves, judgements=judgements)
    assert held(facts) == []
    assert held(replace(facts, base=True)) == ["playlist_feedback", "moves"]


@pytest.mark.parametrize(
    ("trained", "now", "holds"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 6, 30, 23, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), True),
        (datetime(2025, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC), True),
        # Two hours east of Greenwich it is April already; by UTC it is not.
        (
            datetime(2026, 3, 31, tzinfo=UTC),
            datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            False,
        ),
    ],
)
def test_the_quarter(trained: datetime, now: datetime, holds: bool) -> None:
    assert trigger(replace(QUIET, trained_at=trained, now=now), "quarter").holds is holds


@given(days=st.integers(0, 3_000), start=st.integers(0, 3_000))
def test_data_older_than_any_quarter_are_always_due(days: int, start: int) -> None:
    trained = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=start)
    found = trigger(replace(QUIET, trained_at=trained, now=trained + timedelta(days=days)), "quarter")
    assert found.holds or days <= 92
    assert f"{days} days ago" in found.figure


def test_before_anything_is_live_only_pairs_count() -> None:
    nothing = replace(QUIET, live=None, trained_at=None, promoted_at=None, usable_pairs=0)
    assert held(nothing) == []
    assert held(replace(nothing, usable_pairs=6_000, new_pairs=6_000)) == ["new_pairs"]


def test_of_what_a_user_said_of_a_song_in_a_playlist_the_last_counts() -> None:
    later = NOW + timedelta(hours=1)
    heard = [feedback(Verdict.ACCEPT, later), feedback(Verdict.REJECT, NOW), feedback(Verdict.REJECT, NOW, user="bob")]
    last = last_words(judgements_of(heard))
    assert {(each.user, each.rejected) for each in last} == {("ada", False), ("bob", True)}


def test_a_change_of_mind_counts_before_the_promotion_as_it_was_then() -> None:
    before, since = said("j", 0, 40, PROMOTED - timedelta(days=1)), said("j", 20, 40, NOW)
    found = trigger(replace(QUIET, judgements=before + since), "reject_rate")
    assert "jazz 20 of 40 against 0 of 40" in found.figure


def test_a_song_that_is_moved_away_was_rejected_where_it_was() -> None:
    moved = feedback(Verdict.MOVE, NOW, playlist_id="r", from_playlist_id="j")
    assert judgements_of([moved]) == [Judgement(NOW, "ada", "s", "j", True)]
    assert moves_of([moved]) == [Move(NOW, "ada", "s", "j", "r")]
    assert moves_of([feedback(Verdict.REJECT, NOW), feedback(Verdict.MOVE, NOW, from_playlist_id="j")]) == []


@given(bad=st.integers(0, 60), good=st.integers(0, 60), other_bad=st.integers(0, 60), other_good=st.integers(0, 60))
def test_fishers_test_is_the_tail_of_the_hypergeometric(bad: int, good: int, other_bad: int, other_good: int) -> None:
    total, other = bad + good, other_bad + other_good
    if not total or not other:
        return
    p = worse(bad, total, other_bad, other)
    assert p == pytest.approx(float(hypergeom.sf(bad - 1, total + other, bad + other_bad, total)), abs=1e-9)
    if bad and other_good and good:
        assert worse(bad + 1, total, other_bad, other) <= p + 1e-12


@given(
    new_pairs=st.one_of(st.none(), st.integers(0, 20_000)),
    rejected=st.lists(st.tuples(st.sampled_from("jrpx"), st.booleans(), st.integers(-60, 30)), max_size=120),
    base=st.booleans(),
)
def test_every_trigger_tells_its_figure_and_is_json(
    new_pairs: int | None, rejected: Sequence[tuple[str, bool, int]], base: bool
) -> None:
    judgements = [
        Judgement(PROMOTED + timedelta(days=day), "ada", f"s{row}", name, bad)
        for row, (name, bad, day) in enumerate(rejected)
    ]
    triggers = check(replace(QUIET, new_pairs=new_pairs, judgements=judgements, base=base))
    assert due(triggers) == any(each.as_json()["holds"] for each in triggers)
    for each in triggers:
        document = each.as_json()
        assert document["figure"]
        assert document["explanation"]
        assert all(isinstance(row, dict) for row in document["details"])
