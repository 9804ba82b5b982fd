"""What users' feedback says of matches: judgements of songs in playlists, and moves between playlists."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from registry.records import Feedback, Verdict


@dataclass(frozen=True)
class Judgement:
    """What a user said of a song in a playlist. A song that is moved away was rejected by where it was."""

    at: datetime
    user: str
    song_id: str
    playlist_id: str
    rejected: bool


@dataclass(frozen=True)
class Move:
    """A song that a user moved from one playlist to another."""

    at: datetime
    user: str
    song_id: str
    from_playlist: str
    to_playlist: str


def judgements_of(feedback: Iterable[Feedback]) -> list[Judgement]:
    """Every judgement, oldest first."""
    return [
        Judgement(said.at, said.user, said.song_id, where, said.verdict is not Verdict.ACCEPT)
        for said in sorted(feedback, key=lambda each: each.at)
        for where in [said.playlist_id if said.from_playlist_id is None else said.from_playlist_id]
    ]


def moves_of(feedback: Iterable[Feedback]) -> list[Move]:
    """The moves from one playlist to another."""
    return [
        Move(said.at, said.user, said.song_id, said.from_playlist_id, said.playlist_id)
        for said in feedback
        if said.from_playlist_id is not None and said.from_playlist_id != said.playlist_id
    ]


def last_words(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Of what each user said of each song in each playlist, the latest alone."""
    last = {(each.user, each.song_id, each.playlist_id): each for each in sorted(judgements, key=lambda each: each.at)}
    return list(last.values())


def rejects(judgements: Iterable[Judgement], key: Callable[[Judgement], str]) -> dict[str, tuple[int, int]]:
    """By key, how many songs were rejected at last, and of how many."""
    said = last_words(judgements)
    rejected = Counter(key(each) for each in said if each.rejected)
    return {name: (rejected[name], total) for name, total in Counter(map(key, said)).items()}
