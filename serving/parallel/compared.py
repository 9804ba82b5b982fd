"""Two versions' answers to the same songs, side by side. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.parallel_runs import ComparedRequest, ComparedSong
from registry.records import Song
from serving.parallel.rankings import DEPTH, overlap, rank_biased_overlap

Results = Sequence[Mapping[str, Any]]
"""Of each song its matches, as `matcher.match` gives them, the first `DEPTH` at least where there are so many."""


@dataclass(frozen=True)
class Answered:
    """What a version answered, None if it failed, and in how many seconds, None also if that cannot be compared."""

    results: Results | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Drafted:
    """An interleaved answer to one song: the playlists shown, and whether the candidate put each there."""

    shown: list[str]
    by_candidate: list[bool]


def compare(
    songs: Sequence[Song],
    live: Answered,
    candidate: Answered,
    *,
    at: datetime,
    user: str | None = None,
    drafted: Sequence[Drafted] | None = None,
) -> tuple[ComparedRequest, list[ComparedSong]]:
    """The request and its songs as they are kept; no song if either version failed.

    Args:
        at: when the request was answered.
        user: who asked, if that is known.
        drafted: what an interleaved answer showed for each song.
    """
    request = ComparedRequest(at, live.seconds, candidate.seconds, live.results is None, candidate.results is None)
    if live.results is None or candidate.results is None:
        return request, []
    interleaved: Sequence[Drafted | None] = drafted or [None] * len(songs)
    rows = zip(songs, live.results, candidate.results, interleaved, strict=True)
    return request, [_compared_song(at, user, *row) for row in rows]


def ranking_of(result: Mapping[str, Any]) -> list[str]:
    """The playlists of a song's answer, best first."""
    return [match["playlist_id"] for match in result["matches"]]


def _compared_song(
    at: datetime,
    user: str | None,
    song: Song,
    live: Mapping[str, Any],
    candidate: Mapping[str, Any],
    drafted: Drafted | None,
) -> ComparedSong:
    one, other = ranking_of(live)[:DEPTH], ranking_of(candidate)[:DEPTH]
    return ComparedSong(
        at=at,
        song_id=None if "\0" in song.song_id else song.song_id,
        user_name=user,
        genre=song.genre,
        playlist_type=live["matches"][0]["type"] if live["matches"] else None,
        live_list=one,
        candidate_list=other,
        overlap=overlap(one, other),
        rank_biased_overlap=rank_biased_overlap(one, other),
        first_changed=one[:1] != other[:1],
        shown=drafted.shown if drafted else None,
        shown_by_candidate=drafted.by_candidate if drafted else None,
    )
