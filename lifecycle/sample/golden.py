"""Golden cases of the sample library: well-known songs of its playlists, and playlists of quite another sound.

No model was asked: a case is the most popular song of a playlist, must reach what holds it and must not reach the
playlist whose theme sounds the least like its own. Whether a version manages is for the version to show.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lifecycle.sample.library import SampleLibrary
from lifecycle.sample.plan import TINY
from lifecycle.sample.themes import Theme, themes
from registry.records import Song

MOST_CASES = 30

_HEAD = """\
# Golden cases of the sample library, written by `autosort demo`: songs that everybody knows there, the playlists they
# must reach and one they must not. `autosort evaluate VERSION` shows how a version does on each. Put your own here, or
# take the file away: docs/reference.md, "Golden cases".
"""


def golden_cases(library: SampleLibrary) -> list[dict[str, Any]]:
    """One case for each playlist with songs enough, 30 at most, as `golden.yaml` has them; no song has two."""
    songs = {song.song_id: song for song in library.songs}
    holders, members = defaultdict(list), defaultdict(list)
    for each in library.memberships:
        holders[each.song_id].append(each.playlist_id)
        members[each.playlist_id].append(each.song_id)
    large = [playlist.playlist_id for playlist in library.playlists if len(members[playlist.playlist_id]) > TINY]
    chosen: list[str] = []
    for playlist_id in large[:MOST_CASES]:
        free = [songs[each] for each in members[playlist_id] if each not in chosen]
        chosen += [song.song_id for song in sorted(free, key=_fame)[-1:]]
    names = {playlist.playlist_id: playlist.name for playlist in library.playlists}
    opposite = _Opposites(library)
    labels = Counter(_label(song) for song in library.songs)
    return [
        {
            "song": label if labels[label := _label(songs[each])] == 1 else each,
            "must": [names[holder] for holder in holders[each]],
            "must_not": [names[opposite.of(holders[each], large)]],
        }
        for each in chosen
    ]


def write_golden(library: SampleLibrary, path: Path) -> None:
    """Write the cases as `golden.yaml`; a file that is there already stays as it is."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(golden_cases(library), allow_unicode=True, sort_keys=False, width=120)
    path.write_text(_HEAD + text, encoding="utf-8")


class _Opposites:
    """Which playlists sound the least like others."""

    def __init__(self, library: SampleLibrary) -> None:
        known = themes()
        # Playlists come theme by theme, and begin again when each theme had one.
        self._themes = {each.playlist_id: known[at % len(known)] for at, each in enumerate(library.playlists)}

    def of(self, playlist_ids: Sequence[str], among: Sequence[str]) -> str:
        """The playlist that sounds the least like any of these."""
        return max(sorted(among), key=lambda other: min(self._distance(other, each) for each in playlist_ids))

    def _distance(self, one: str, other: str) -> float:
        return _distance(self._themes[one], self._themes[other])


def _distance(one: Theme, other: Theme) -> float:
    """How differently two themes sound, in their own spreads; neighbours do not count as different at all."""
    if one.key == other.key or other.key in one.neighbours or one.key in other.neighbours:
        return 0.0
    return sum(
        abs(mean - other.audio[feature][0]) / (spread + other.audio[feature][1])
        for feature, (mean, spread) in one.audio.items()
    )


def _fame(song: Song) -> tuple[int, str]:
    return song.popularity or 0, song.song_id


def _label(song: Song) -> str:
    return f"{song.artist} - {song.title}" if song.artist else song.title
