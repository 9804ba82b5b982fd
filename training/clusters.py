"""Near-duplicates: recordings of one song (remasters, live and radio versions) form one cluster.

A cluster is split as one item, so that no version of a test song is ever trained on.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import pairwise
from math import log

from registry.records import Song

_WORD = (
    r"(?:remaster(?:ed|isad[oa]|izad[oa]|isée?)?|live|ao vivo|en vivo|en directo|dal vivo|radio|edit|mix|versi[oó]n|"
    r"acoustic|mono|stereo|single|album|extended|original|deluxe|demo|unplugged|instrumental|karaoke|sped up|slowed|"
    r"anniversary|edition|session|take \d+|bonus|explicit|clean)"
)
# What follows a title tells a version if it begins like "Live at …" or "2011 Remaster", or ends with such a word. A
# title that merely holds one ("Live and Let Die") is left alone.
_VERSION = re.compile(
    rf"(?:\d{{4}}\s+)?{_WORD}s?(?:\s+(?:\d{{4}}|{_WORD}|at|from|in|on|for|by|@).*)?|.*\b{_WORD}s?(?:\s+\d{{4}})?"
)
_GUEST = re.compile(r"(?:feat|ft|featuring|with)\b.*")
_TRAILING_WORDS = re.compile(rf"(?:\s+{_WORD})+(?:\s+\d{{4}})?$")
_BRACKETED = re.compile(r"[\(\[]([^\(\)\[\]]*)[\)\]]")
_DASHED = re.compile(r"^(.+)\s[-\u2013\u2014]\s([^-\u2013\u2014]+)$")
_NO_ASCII_LETTERS = re.compile(r"[^a-zA-Z0-9]+")
_FEATURING = re.compile(r"(?:\s(?:feat|featuring)|(?<!\d)\sft)\b.*$")
_ARTIST_SEPARATORS = re.compile(r",|;|&|\s(?:feat|ft|featuring|x|vs)\b\.?")


def normalised_title(title: str) -> str:
    """A title without its version: "Harbour (Live) - 2011 Remaster" and "harbour" are the same.

    A remix is a song of its own; its radio edit is that remix.
    """
    text = _folded(title)
    stripped = text
    while _BRACKETED.search(stripped):  # from the innermost outwards
        stripped = _BRACKETED.sub(lambda found: f" {_kept_of(found[1])} ", stripped)
    while (dashed := _DASHED.match(stripped)) and (kept := _kept_of(dashed[2])) != dashed[2]:
        stripped = f"{dashed[1]} {kept}".rstrip()
    stripped = _FEATURING.sub("", stripped)
    return _letters(stripped) or _letters(text) or "".join(text.split())


def normalised_artist(artist: str | None) -> str:
    """The first of the artists, as letters, digits and marks alone; as it stands if it has none of these."""
    if not artist:
        return ""
    text = _folded(artist)
    first = next((part for part in map(_letters, _ARTIST_SEPARATORS.split(text)) if part), "")
    return first or "".join(text.split())


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _letters(text: str) -> str:
    """Letters, digits and the marks that belong to them; without marks, words of many scripts would coincide."""
    if text.isascii():
        return _NO_ASCII_LETTERS.sub("", text)
    return "".join(character for character in text if unicodedata.category(character)[0] in "LNM")


def _kept_of(part: str) -> str:
    """What a bracketed or dashed part of a title says of the song itself: nothing, if it tells a version or a guest."""
    part = part.strip()
    if "remix" in part:
        return _TRAILING_WORDS.sub("", part)
    return "" if _VERSION.fullmatch(part) or _GUEST.fullmatch(part) else part


def cluster_songs(songs: Iterable[Song], text_of: Callable[[Song], str] | None = None) -> dict[str, str]:
    """The cluster of each song id: same ISRC, or same artist and title but for their version, with close durations.

    A cluster is named by its smallest artist-and-title key. The name stays when versions of the song are added; it can
    change only when an ISRC or a text joins recordings of different artists or titles.

    Args:
        text_of: what the model sees of a song; songs of which it sees the same are joined, whatever they are.
    """
    parents: dict[str, str] = {}
    by_key: dict[str, list[Song]] = defaultdict(list)
    names: dict[str, str] = {}
    for song in songs:
        by_key[_key(song)].append(song)
    for key, group in by_key.items():
        for name, recordings in _by_duration(key, group):
            names.update((song.song_id, name) for song in recordings)
            for song in recordings:
                for same in _same(song, text_of):
                    _join(parents, _find(parents, name), same)
    return {song_id: _find(parents, name) for song_id, name in names.items()}


def must_join(songs: Iterable[Song], text_of: Callable[[Song], str]) -> Iterator[tuple[str, str]]:
    """Pairs of song ids that belong to one cluster, whatever other songs there are: what an auditor checks.

    Every two songs of one ISRC, of one text, or of one artist and title with durations that are close or both unknown
    are joined by a chain of these pairs.
    """
    last: dict[str, str] = {}
    by_key: dict[str, list[Song]] = defaultdict(list)
    for song in songs:
        by_key[_key(song)].append(song)
        for same in _same(song, text_of):
            if same in last:
                yield last[same], song.song_id
            last[same] = song.song_id
    for group in by_key.values():
        if len(group) > 1:
            groups, unknown = _close(group)
            for recordings in (*groups, unknown):
                yield from ((one.song_id, other.song_id) for one, other in pairwise(recordings))


def side_key(cluster: str) -> str:
    """What decides a cluster's side: all durations of one artist and title keep to one side."""
    return cluster.partition(_DURATION)[0] if cluster.startswith("song:") else cluster


_KINDS = ("song", "song-id", "isrc", "text")
"""Kinds of keys; a cluster takes its name from the first kind it has."""

_DURATION = " "
"""What sets a duration off from the key before it, in which no space can be."""

_FACTOR = 1.5
"""Two recordings of one song differ less than this in duration."""


def _key(song: Song) -> str:
    artist = normalised_artist(song.artist)
    # Without an artist a title alone proves nothing: such a song stands for itself.
    return f"song:{artist}:{normalised_title(song.title)}" if artist else f"song-id:{song.song_id}"


def _same(song: Song, text_of: Callable[[Song], str] | None) -> Iterator[str]:
    """Keys of which songs of different artists or titles may share one."""
    if song.isrc and (isrc := _letters(song.isrc.casefold())):
        yield f"isrc:{isrc}"
    if text_of is not None:
        yield f"text:{sha256(text_of(song).encode()).hexdigest()}"


def _by_duration(key: str, songs: list[Song]) -> Iterator[tuple[str, list[Song]]]:
    """Songs of one key as recordings of one duration each; the most recorded one has the key itself for its name.

    Songs of unknown duration count as that one's.
    """
    groups, unknown = _close(songs)
    groups.sort(key=len, reverse=True)
    yield key, [*(groups[0] if groups else []), *unknown]
    for recordings in groups[1:]:
        shortest = recordings[0].duration_ms or 1
        # Groups lie more than a factor apart, so no two have the same number.
        yield f"{key}{_DURATION}{int(log(shortest, _FACTOR))}", recordings


def _close(songs: list[Song]) -> tuple[list[list[Song]], list[Song]]:
    """Songs of one key by duration, shortest first and a new group after every gap; and those of unknown duration."""
    timed = sorted((song for song in songs if song.duration_ms), key=lambda song: (song.duration_ms or 0, song.song_id))
    groups: list[list[Song]] = []
    for song in timed:
        near = groups and (song.duration_ms or 0) <= _FACTOR * (groups[-1][-1].duration_ms or 0)
        if near:
            groups[-1].append(song)
        else:
            groups.append([song])
    return groups, [song for song in songs if not song.duration_ms]


def _find(parents: dict[str, str], key: str) -> str:
    root = parents.setdefault(key, key)
    while parents[root] != root:
        parents[root] = parents[parents[root]]
        root = parents[root]
    parents[key] = root
    return root


def _join(parents: dict[str, str], one: str, other: str) -> None:
    roots = sorted((_find(parents, one), _find(parents, other)), key=lambda key: (_KINDS.index(key.split(":")[0]), key))
    parents[roots[1]] = roots[0]
