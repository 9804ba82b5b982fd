"""The golden cases as questions about the catalogue: which song is meant, and which playlists.

A name that the catalogue does not know, or knows twice, leaves a question that cannot be asked, with the reason.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lifecycle.golden.file import GOLDEN_FILE, GoldenCase
from registry import catalogue
from registry.database import Connection
from registry.imports.rows import shown
from registry.records import Playlist, Song

_SHOWN = 3
_GONE = f"If it was deleted or renamed, take it out of {GOLDEN_FILE} or name another."


@dataclass(frozen=True)
class Asked:
    """A playlist that a case names; `playlist` is None where it cannot be asked for, `problem` says why."""

    label: str
    playlist: Playlist | None
    problem: str | None = None


@dataclass(frozen=True)
class Question:
    """A golden case with the song and playlists it means.

    Attributes:
        label: "artist - title", or what the file calls a song that was not found; no two cases share one.
        problem: why there is no song.
    """

    label: str
    song: Song | None
    problem: str | None
    must: tuple[Asked, ...]
    must_not: tuple[Asked, ...]
    within: int


def ask(connection: Connection, cases: Sequence[GoldenCase]) -> list[Question]:
    """Find what the cases mean, in their order."""
    songs = [_find_song(connection, case.song) for case in cases]
    labels = _distinct(
        [song_label(song) if song else case.song for case, (song, _) in zip(cases, songs, strict=True)],
        [f"case {number}" for number in range(1, len(cases) + 1)],
    )
    playlists = _find_playlists(connection, {name for case in cases for name in (*case.must, *case.must_not)})
    return [
        Question(
            label=label,
            song=song,
            problem=problem,
            must=tuple(playlists[name] for name in case.must),
            must_not=tuple(playlists[name] for name in case.must_not),
            within=case.within,
        )
        for case, label, (song, problem) in zip(cases, labels, songs, strict=True)
    ]


def song_label(song: Song) -> str:
    """A song as people call it: "artist - title"."""
    return f"{song.artist} - {song.title}" if song.artist else song.title


def _find_song(connection: Connection, query: str) -> tuple[Song | None, str | None]:
    """The song of this id, title or "artist - title", or why there is none.

    Part of a title, which `autosort match` takes as well, is not enough: when a song is deleted its case must not go on
    with another whose title holds the same words.
    """
    found = catalogue.find_songs(connection, query)
    called = [song for song in found if _is_called(song, query)]
    if len(called) == 1:
        return called[0], None
    if called:
        ids = ", ".join(song.song_id for song in called[:_SHOWN]) + (", …" if len(called) > _SHOWN else "")
        return None, f"Several songs are called '{shown(query)}': give the id of one ({ids})."
    close = f"; '{shown(song_label(found[0]))}' comes close" if found else ""
    return None, f"No song of the catalogue is called '{shown(query)}'{close}. {_GONE}"


def _is_called(song: Song, query: str) -> bool:
    names = (song.title.lower(), f"{song.artist} - {song.title}".lower())
    return song.song_id == query or query.lower() in names


def _find_playlists(connection: Connection, names: set[str]) -> dict[str, Asked]:
    """Each name of a playlist with the playlist it means."""
    found = catalogue.find_playlists(connection, sorted(names))
    meant = {name: found[name][0] for name in names if len(found.get(name, ())) == 1}
    different = {each.playlist_id: each for each in meant.values()}
    ids = sorted(different)
    labels = dict(zip(ids, _distinct([different[each].name for each in ids], ids), strict=True))
    return {
        name: Asked(labels[meant[name].playlist_id], meant[name])
        if name in meant
        else Asked(name, None, _playlist_problem(name, found))
        for name in names
    }


def _playlist_problem(name: str, found: Mapping[str, Sequence[Playlist]]) -> str:
    called = found.get(name, ())
    if not called:
        return f"No playlist of the catalogue is called '{shown(name)}'. {_GONE}"
    ids = ", ".join(each.playlist_id for each in called[:_SHOWN]) + (", …" if len(called) > _SHOWN else "")
    return f"Several playlists are called '{shown(name)}': give the id of one ({ids})."


def _distinct(labels: Sequence[str], marks: Sequence[str]) -> list[str]:
    """The labels; those that occur more than once with their mark behind them."""
    counts = Counter(labels)
    return [f"{label} ({mark})" if counts[label] > 1 else label for label, mark in zip(labels, marks, strict=True)]
