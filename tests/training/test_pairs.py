"""Memberships, corrected by what users said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import CatalogueSnapshot, Feedback, Membership, MembershipSource, Playlist, Verdict
from training.pairs import Pair, known_pairs, positive_pairs

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
    expected = [Pair("p", "a", "curated"), Pair("p", "b", "curated"), Pair("q", "a", "public", weight=0)]
    assert positive_pairs(CatalogueSnapshot((), (), memberships, ())) == expected


def test_an_accept_adds_a_pair_and_says_so() -> None:
    snapshot = CatalogueSnapshot((), (), (), (said(Verdict.ACCEPT, "p", "a"),))
    assert positive_pairs(snapshot) == [Pair("p", "a", "accepted", user="ann", added_at=START.timestamp())]


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


# Weights ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "description", "weight"),
    [
        (MembershipSource.CURATED, None, 1.0),
        (MembershipSource.MANUAL, None, 1.0),
        (MembershipSource.ASSIGNED, None, 0.7),
        (MembershipSource.PUBLIC, "Slow songs for the road", 0.5),
        (MembershipSource.PUBLIC, None, 0.0),
    ],
)
def test_a_pair_is_worth_what_its_source_is(source: MembershipSource, description: str | None, weight: float) -> None:
    playlist = Playlist(playlist_id="p", name="P", description=description)
    (pair,) = positive_pairs(CatalogueSnapshot((), (playlist,), (member("p", "a", source),), ()))
    assert pair.weight == weight


def test_what_is_accepted_is_worth_as_much_as_what_is_curated() -> None:
    (pair,) = positive_pairs(CatalogueSnapshot((), (), (), (said(Verdict.ACCEPT, "p", "a"),)))
    assert pair.weight == 1.0


@pytest.mark.parametrize("source", [MembershipSource.ASSIGNED, MembershipSource.PUBLIC])
def test_an_accept_makes_a_weak_pair_strong(source: MembershipSource) -> None:
    snapshot = CatalogueSnapshot((), (), (member("p", "a", source),), (said(Verdict.ACCEPT, "p", "a"),))
    assert positive_pairs(snapshot) == [Pair("p", "a", "accepted", 1.0)]


@given(st.permutations(list(MembershipSource)))
def test_of_several_sources_the_strongest_counts(sources: list[MembershipSource]) -> None:
    members = tuple(member("p", "a", source) for source in sources)
    assert [pair.source for pair in positive_pairs(CatalogueSnapshot((), (), members, ()))] == ["curated"]


# Users --------------------------------------------------------------------------------------------------------------


def test_a_pair_of_one_users_feedback_names_the_user_and_one_of_two_users_none() -> None:
    accepts = (said(Verdict.ACCEPT, "p", "a"), said(Verdict.ACCEPT, "p", "a", minute=1), said(Verdict.ACCEPT, "p", "b"))
    also = said(Verdict.ACCEPT, "p", "b", user="bob")
    assert [pair.user for pair in positive_pairs(CatalogueSnapshot((), (), (), (*accepts, also)))] == ["ann", None]


def test_an_assignment_names_the_playlists_owner() -> None:
    playlist = Playlist(playlist_id="p", name="P", owner="olga")
    members = (member("p", "a", MembershipSource.ASSIGNED), member("p", "b"))
    assert [pair.user for pair in positive_pairs(CatalogueSnapshot((), (playlist,), members, ()))] == ["olga", None]


# Rejections ---------------------------------------------------------------------------------------------------------


def rejected(*feedback: Feedback) -> list[tuple[str, str]]:
    return known_pairs(CatalogueSnapshot((), (), (member("p", "a"),), feedback)).rejected


def test_a_reject_is_kept_even_of_what_was_no_pair() -> None:
    assert rejected(said(Verdict.REJECT, "q", "b"), said(Verdict.REJECT, "p", "a")) == [("p", "a"), ("q", "b")]


def test_a_move_away_is_a_rejection() -> None:
    assert rejected(said(Verdict.MOVE, "q", "a", origin="p")) == [("p", "a")]


@pytest.mark.parametrize(
    "again", [said(Verdict.ACCEPT, "p", "a", minute=9), said(Verdict.MOVE, "p", "a", minute=9, origin="q")]
)
def test_only_a_later_word_takes_a_rejection_back(again: Feedback) -> None:
    no = said(Verdict.REJECT, "p", "a", minute=5)
    early = again.model_copy(update={"at": START})
    assert ("p", "a") not in rejected(no, again)
    assert ("p", "a") in rejected(no, early)


def test_a_membership_does_not_take_a_rejection_back_however_new() -> None:
    new = member("p", "a").model_copy(update={"added_at": START + timedelta(days=999)})
    assert positive_pairs(CatalogueSnapshot((), (), (new,), (said(Verdict.REJECT, "p", "a"),))) == []


def test_of_what_is_said_at_one_moment_a_reject_is_the_last_word() -> None:
    words = [said(Verdict.ACCEPT, "p", "a", user="zoe"), said(Verdict.REJECT, "p", "a")]
    for order in (words, words[::-1]):
        assert rejected(*order) == [("p", "a")]


# Dates --------------------------------------------------------------------------------------------------------------


def test_a_moment_without_a_zone_is_in_utc() -> None:
    naive, aware = (member("p", "a").model_copy(update={"added_at": at}) for at in (START.replace(tzinfo=None), START))
    one, other = (positive_pairs(CatalogueSnapshot((), (), (each,), ())) for each in (naive, aware))
    assert one == other
    assert one[0].added_at == START.timestamp()


def test_an_accept_does_not_date_a_membership_that_may_be_older() -> None:
    snapshot = CatalogueSnapshot((), (), (member("p", "a"),), (said(Verdict.ACCEPT, "p", "a"),))
    assert positive_pairs(snapshot)[0].added_at is None


ids = st.sampled_from(["p", "q", "r"])
memberships = st.lists(st.builds(member, ids, st.sampled_from("abc"), st.sampled_from(MembershipSource)), max_size=9)


@st.composite
def feedback(draw: st.DrawFn) -> list[Feedback]:
    """Feedback, some of it given at one moment."""
    minutes = draw(st.lists(st.integers(0, 9), max_size=8))
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


@given(members=memberships, words=feedback())
def test_nothing_is_both_a_pair_and_a_rejection(members: list[Membership], words: list[Feedback]) -> None:
    known = known_pairs(CatalogueSnapshot((), (), tuple(members), tuple(words)))
    assert known.rejected == sorted(set(known.rejected))
    assert not {(pair.playlist_id, pair.song_id) for pair in known.positives} & set(known.rejected)
    assert all(0 <= pair.weight <= 1 for pair in known.positives)
