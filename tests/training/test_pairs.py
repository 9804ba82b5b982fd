"""Memberships, corrected by what users said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import CatalogueSnapshot, Feedback, Membership, MembershipSource, Verdict
from training.pairs import Pair, positive_pairs

START = datetime(2026, 1, 1, tzinfo=UTC)


def member(playlist: str, song: str, source: MembershipSource = MembershipSource.CURATED) -> Membership:
    return Membership(playlist_id=playlist, song_id=song, source=source)


def said(
    verdict: Verdict, playlist: str, song: str, *, minute: int = 0, origin: str | None = None, user: str = "ann"
) -> Feedback:
    at = START + timedelta(minutes=minute)
    return Feedback(user=user, song_id=song, playlist_id=playlist, verdict=verdict, from_playlist_id=origin, at=at)


def pairs(memberships: list[Membership], *feedback: Feedback) -> set[tuple[str, str]]:
    found = positive_pairs(CatalogueSnapshot((), (), tuple(memberships), feedback))
    return {(pair.playlist_id, pair.song_id) for pair in found}


def test_memberships_are_pairs_with_their_source_ordered_by_ids() -> None:
    memberships = (member("q", "a", MembershipSource.PUBLIC), member("p", "b"), member("p", "a"))
    expected = [Pair("p", "a", "curated"), Pair("p", "b", "curated"), Pair("q", "a", "public")]
    assert positive_pairs(CatalogueSnapshot((), (), memberships, ())) == expected


def test_an_accept_adds_a_pair_and_says_so() -> None:
    snapshot = CatalogueSnapshot((), (), (), (said(Verdict.ACCEPT, "p", "a"),))
    assert positive_pairs(snapshot) == [Pair("p", "a", "accepted")]


def test_an_accept_of_a_member_leaves_its_source() -> None:
    snapshot = CatalogueSnapshot((), (), (member("p", "a"),), (said(Verdict.ACCEPT, "p", "a"),))
    assert positive_pairs(snapshot) == [Pair("p", "a", "curated")]


@pytest.mark.parametrize("source", MembershipSource)
def test_a_reject_takes_a_pair_out_whatever_its_source(source: MembershipSource) -> None:
    assert pairs([member("p", "a", source), member("p", "b")], said(Verdict.REJECT, "p", "a")) == {("p", "b")}


def test_a_reject_of_what_is_no_pair_changes_nothing() -> None:
    assert pairs([member("p", "a")], said(Verdict.REJECT, "q", "a")) == {("p", "a")}


def test_a_move_takes_the_pair_from_there_to_here() -> None:
    moved = said(Verdict.MOVE, "q", "a", origin="p")
    assert pairs([member("p", "a"), member("p", "b")], moved) == {("q", "a"), ("p", "b")}


def test_a_move_adds_even_if_the_song_was_not_there() -> None:
    assert pairs([], said(Verdict.MOVE, "q", "a", origin="p")) == {("q", "a")}


def test_a_move_to_where_it_was_keeps_the_pair() -> None:
    snapshot = CatalogueSnapshot((), (), (member("p", "a"),), (said(Verdict.MOVE, "p", "a", origin="p"),))
    assert positive_pairs(snapshot) == [Pair("p", "a", "curated")]


@pytest.mark.parametrize(
    ("verdicts", "kept"),
    [
        ([Verdict.ACCEPT, Verdict.REJECT], False),
        ([Verdict.REJECT, Verdict.ACCEPT], True),
        ([Verdict.ACCEPT, Verdict.REJECT, Verdict.ACCEPT], True),
        ([Verdict.REJECT, Verdict.ACCEPT, Verdict.REJECT], False),
    ],
)
def test_the_latest_word_counts(verdicts: list[Verdict], *, kept: bool) -> None:
    feedback = [said(verdict, "p", "a", minute=minute) for minute, verdict in enumerate(verdicts)]
    for order in (feedback, feedback[::-1]):
        assert (("p", "a") in pairs([member("p", "a")], *order)) is kept


def test_a_later_accept_brings_back_what_was_moved_away() -> None:
    moved = said(Verdict.MOVE, "q", "a", origin="p", minute=1)
    back = said(Verdict.ACCEPT, "p", "a", minute=2, user="bob")
    assert pairs([member("p", "a")], back, moved) == {("p", "a"), ("q", "a")}


ids = st.sampled_from(["p", "q", "r"])
memberships = st.lists(st.builds(member, ids, st.sampled_from("abc"), st.sampled_from(MembershipSource)), max_size=9)


@st.composite
def feedback(draw: st.DrawFn) -> list[Feedback]:
    """Feedback of which no two were given at one moment."""
    minutes = draw(st.lists(st.integers(0, 1000), unique=True, max_size=8))
    return [draw(_feedback_at(minute)) for minute in minutes]


def _feedback_at(minute: int) -> st.SearchStrategy[Feedback]:
    make: Callable[[Verdict, str, str, str], Feedback] = lambda verdict, to, song, origin: said(  # noqa: E731
        verdict, to, song, minute=minute, origin=origin if verdict is Verdict.MOVE else None
    )
    return st.builds(make, st.sampled_from(Verdict), ids, st.sampled_from("abc"), ids)


@given(data=st.data(), members=st.lists(st.tuples(ids, st.sampled_from("abc")), unique=True), words=feedback())
def test_pairs_do_not_depend_on_the_order_of_a_snapshot(
    data: st.DataObject, members: list[tuple[str, str]], words: list[Feedback]
) -> None:
    held = [member(playlist, song) for playlist, song in members]
    one = CatalogueSnapshot((), (), tuple(held), tuple(words))
    other = CatalogueSnapshot((), (), tuple(data.draw(st.permutations(held))), tuple(data.draw(st.permutations(words))))
    assert positive_pairs(one) == positive_pairs(other)


@given(members=memberships, words=feedback())
def test_a_pair_is_there_once_and_only_for_a_reason(members: list[Membership], words: list[Feedback]) -> None:
    found = positive_pairs(CatalogueSnapshot((), (), tuple(members), tuple(words)))
    keys = [(pair.playlist_id, pair.song_id) for pair in found]
    held = {(each.playlist_id, each.song_id) for each in members}
    wanted = {(each.playlist_id, each.song_id) for each in words if each.verdict is not Verdict.REJECT}
    assert keys == sorted(set(keys))
    assert set(keys) <= held | wanted
