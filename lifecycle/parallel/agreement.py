"""What users' feedback says of two versions' answers: whose would have served the user better. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.records import Verdict


@dataclass(frozen=True)
class Duels:
    """Of the feedback that prefers either version's answer, how often that was the candidate's."""

    won: int = 0
    lost: int = 0
    undecided: int = 0

    @property
    def decided(self) -> int:
        return self.won + self.lost

    @classmethod
    def of(cls, preferences: Iterable[bool | None]) -> "Duels":
        """Count preferences: True for the candidate, False for the live version, None for neither."""
        found = list(preferences)
        return cls(found.count(True), found.count(False), found.count(None))


def by_rank(feedback: Iterable[Mapping[str, Any]]) -> Duels:
    """Whose list had an accepted playlist higher, or a rejected one lower; a list without it has it last."""
    return Duels.of(
        _higher(each["verdict"], each["playlist_id"], each["live_list"], each["candidate_list"]) for each in feedback
    )


def by_interleaving(feedback: Iterable[Mapping[str, Any]]) -> Duels:
    """Whose playlists were taken of interleaved answers; what was not shown, or rejected, says nothing."""
    return Duels.of(
        _drafter(each["playlist_id"], each["shown"], each["shown_by_candidate"])
        for each in feedback
        if each["shown"] and each["verdict"] != Verdict.REJECT
    )


def _higher(verdict: str, playlist_id: str, live: Sequence[str], candidate: Sequence[str]) -> bool | None:
    old, new = (_rank(playlist_id, ranking) for ranking in (live, candidate))
    if old == new:
        return None
    return (new < old) != (verdict == Verdict.REJECT)


def _rank(playlist_id: str, ranking: Sequence[str]) -> int:
    return ranking.index(playlist_id) if playlist_id in ranking else len(ranking)


def _drafter(playlist_id: str, shown: Sequence[str], by_candidate: Sequence[bool]) -> bool | None:
    return by_candidate[shown.index(playlist_id)] if playlist_id in shown else None
