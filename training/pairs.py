"""Which song belongs to which playlist: memberships, corrected by what users said."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from registry.records import CatalogueSnapshot, Feedback, Membership, MembershipSource, Verdict

PUBLIC = MembershipSource.PUBLIC.value
ACCEPTED = "accepted"
"""The source of a pair that is known from feedback."""

SOURCE_WEIGHTS = {
    MembershipSource.CURATED.value: 1.0,
    MembershipSource.MANUAL.value: 1.0,
    ACCEPTED: 1.0,
    MembershipSource.ASSIGNED.value: 0.7,
    PUBLIC: 0.5,
}
_STRENGTH = {source: number for number, source in enumerate(("public", "assigned", ACCEPTED, "manual", "curated"))}
_NAMES = {source: source.value for source in MembershipSource}
_Key = tuple[str, str]


class Pair(NamedTuple):
    """A playlist and a song that belongs to it, and where that is known from.

    Attributes:
        source: the strongest that knows of it.
        weight: what that source is worth, in [0, 1]; 0 is known, but never trained on.
        user: the one person from whom alone it is known, if so.
        added_at: when, in seconds since 1970.
    """

    playlist_id: str
    song_id: str
    source: str
    weight: float = 1.0
    user: str | None = None
    added_at: float | None = None


@dataclass(frozen=True)
class KnownPairs:
    """What belongs together and what does not, each by ids; nothing is in both.

    Attributes:
        rejected: (playlist id, song id) of which a user said that they do not belong together.
    """

    positives: list[Pair]
    rejected: list[tuple[str, str]]


@dataclass
class _Said:
    """What users said of pairs, the latest word of each."""

    accepted: dict[_Key, list[Feedback]] = field(default_factory=dict)
    rejected: set[_Key] = field(default_factory=set)

    def hear(self, said: Feedback) -> None:
        key = (said.playlist_id, said.song_id)
        if said.verdict is Verdict.REJECT:
            self._reject(key)
            return
        self.accepted.setdefault(key, []).append(said)
        self.rejected.discard(key)
        if said.from_playlist_id is not None and said.from_playlist_id != said.playlist_id:
            self._reject((said.from_playlist_id, said.song_id))

    def _reject(self, key: _Key) -> None:
        self.accepted.pop(key, None)
        self.rejected.add(key)


def known_pairs(snapshot: CatalogueSnapshot) -> KnownPairs:
    """All (playlist, song) that belong together, and those that users said do not.

    An accept or a move adds a pair; a reject, or a move away, takes one out, whatever its source, and is kept as a
    rejection. Of what was said of one pair, the latest counts. A song that was skipped says nothing.
    """
    said = _heard(snapshot.feedback)
    described = {each.playlist_id for each in snapshot.playlists if each.description}
    owners = {each.playlist_id: each.owner for each in snapshot.playlists}
    pairs: dict[_Key, Pair] = {}
    for member in snapshot.memberships:
        key = (member.playlist_id, member.song_id)
        if key not in said.rejected:
            pair = _member_pair(member, owners.get(key[0]), described=key[0] in described)
            pairs[key] = _stronger(pairs[key], pair) if key in pairs else pair
    for key, words in said.accepted.items():
        pair = _accepted_pair(key, words)
        pairs[key] = _stronger(pairs[key], pair) if key in pairs else pair
    return KnownPairs([pairs[key] for key in sorted(pairs)], sorted(said.rejected))


def positive_pairs(snapshot: CatalogueSnapshot) -> list[Pair]:
    """All (playlist, song) that belong together, by ids."""
    return known_pairs(snapshot).positives


def source_weight(source: str, *, described: bool) -> float:
    """What a source is worth in training: a public playlist without a description is known, but never trained on."""
    return SOURCE_WEIGHTS[source] if described or source != PUBLIC else 0.0


def _heard(feedback: Iterable[Feedback]) -> _Said:
    said = _Said()
    for each in sorted(feedback, key=_order):
        said.hear(each)
    return said


def _order(said: Feedback) -> tuple[float, bool, str, str, str, str]:
    """By time; of what was said at one moment a reject is the last word, and the rest is by name."""
    rejects = said.verdict is Verdict.REJECT
    return (_seconds(said.at), rejects, said.user, said.song_id, said.playlist_id, said.from_playlist_id or "")


def _member_pair(member: Membership, owner: str | None, *, described: bool) -> Pair:
    source = _NAMES[member.source]
    return Pair(
        member.playlist_id,
        member.song_id,
        source,
        source_weight(source, described=described),
        user=owner if member.source is MembershipSource.ASSIGNED else None,
        added_at=None if member.added_at is None else _seconds(member.added_at),
    )


def _accepted_pair(key: _Key, words: list[Feedback]) -> Pair:
    users = {said.user for said in words}
    return Pair(
        *key,
        source=ACCEPTED,
        weight=SOURCE_WEIGHTS[ACCEPTED],
        user=users.pop() if len(users) == 1 else None,
        added_at=min(_seconds(said.at) for said in words),
    )


def _stronger(one: Pair, other: Pair) -> Pair:
    """One pair of two sources: the stronger source, the first date if both have one, a user only if both name the same.

    A date of the one says nothing where the other may be older.
    """
    best = max(one, other, key=lambda pair: _STRENGTH[pair.source])
    dated = one.added_at is not None and other.added_at is not None
    return Pair(
        best.playlist_id,
        best.song_id,
        best.source,
        best.weight,
        one.user if one.user == other.user else None,
        min(one.added_at or 0, other.added_at or 0) if dated else None,
    )


def _seconds(moment: datetime) -> float:
    """Since 1970; a moment without a time zone is in UTC, whatever this machine's own is."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
