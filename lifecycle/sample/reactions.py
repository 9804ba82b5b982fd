"""What listeners did with the library: which memberships there are, and what they accepted, rejected and moved."""

from datetime import UTC, datetime, timedelta
from random import Random

from lifecycle.sample.chance import chance
from lifecycle.sample.plan import PlannedPlaylist, Slot
from registry.records import Feedback, Membership, MembershipSource, Verdict

USERS = ("ava", "benedikt", "chidi", "dunja")
SOURCES = {
    MembershipSource.CURATED: 74,
    MembershipSource.ASSIGNED: 11,
    MembershipSource.MANUAL: 8,
    MembershipSource.PUBLIC: 7,
}
CURATION_BEGINS, CURATION_DAYS = datetime(2022, 3, 1, tzinfo=UTC), 1_390
FEEDBACK_BEGINS, FEEDBACK_DAYS = datetime(2026, 1, 5, tzinfo=UTC), 175

Placements = list[tuple[str, Slot]]
"""Every song's id with the slot it was written for, other versions included."""


def memberships(rng: Random, plan: tuple[PlannedPlaylist, ...], placements: Placements) -> list[Membership]:
    """A membership for each playlist of each song, a few without a date."""
    return [
        Membership(
            playlist_id=plan[index].playlist.playlist_id,
            song_id=song,
            source=rng.choices(list(SOURCES), list(SOURCES.values()))[0],
            added_at=_moment(rng, CURATION_BEGINS, CURATION_DAYS) if chance(rng, 0.95) else None,
        )
        for song, slot in placements
        for index in slot.playlists
    ]


class Listeners:
    """Users who react to matches. Nobody is asked twice about the same song and playlist."""

    def __init__(self, rng: Random, plan: tuple[PlannedPlaylist, ...], placements: Placements) -> None:
        self._rng = rng
        self._plan = plan
        self._placements = placements
        self._by_theme: dict[str, list[str]] = {}
        for planned in plan:
            self._by_theme.setdefault(planned.theme.key, []).append(planned.playlist.playlist_id)
        self._known = {
            (song, plan[index].playlist.playlist_id) for song, slot in placements for index in slot.playlists
        }

    def accepts(self, count: int) -> list[Feedback]:
        """Songs of no playlist that a user found to belong in one of their theme."""
        orphans = [(song, slot) for song, slot in self._placements if not slot.playlists]
        chosen = self._rng.sample(orphans, min(count, len(orphans)))
        return [self._said(song, self._playlist_of(slot.palette.theme.key), Verdict.ACCEPT) for song, slot in chosen]

    def rejects(self, count: int) -> list[Feedback]:
        """Matches that were refused: mostly a neighbour's playlist, so a near miss; at times any."""
        said: list[Feedback] = []
        while len(said) < count:
            song, slot = self._rng.choice(self._placements)
            near = slot.palette.lean.key != slot.palette.theme.key and chance(self._rng, 0.7)
            wrong = self._playlist_of(slot.palette.lean.key) if near else self._any_playlist()
            if (song, wrong) not in self._known:
                said.append(self._said(song, wrong, Verdict.REJECT))
        return said

    def moves(self, members: list[Membership], count: int) -> list[Feedback]:
        """Songs that were taken out of a playlist and put where they are now; their memberships become manual ones."""
        said: list[Feedback] = []
        for at in self._rng.sample(range(len(members)), min(count, len(members))):
            member = members[at]
            left = self._any_playlist()
            while (member.song_id, left) in self._known:
                left = self._any_playlist()
            said.append(self._said(member.song_id, member.playlist_id, Verdict.MOVE, left))
            moved = {"source": MembershipSource.MANUAL, "added_at": said[-1].at}
            members[at] = member.model_copy(update=moved)
        return said

    def _said(self, song: str, playlist: str, verdict: Verdict, left: str | None = None) -> Feedback:
        self._known.update({(song, playlist), (song, left or playlist)})
        return Feedback(
            user=self._rng.choice(USERS),
            song_id=song,
            playlist_id=playlist,
            verdict=verdict,
            from_playlist_id=left,
            at=_moment(self._rng, FEEDBACK_BEGINS, FEEDBACK_DAYS),
        )

    def _playlist_of(self, theme: str) -> str:
        """One of the playlists on this theme; any if the library has none."""
        fitting = self._by_theme.get(theme)
        return self._rng.choice(fitting) if fitting else self._any_playlist()

    def _any_playlist(self) -> str:
        return self._rng.choice(self._plan).playlist.playlist_id


def _moment(rng: Random, begins: datetime, days: int) -> datetime:
    return begins + timedelta(seconds=rng.randrange(days * 86_400))
