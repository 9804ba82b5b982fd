"""Near-duplicates: recordings of one song (remasters, live and radio versions) form one cluster.

A cluster is split as one item, so that no version of a test song is ever trained on.
"""

import re
import unicodedata
from collections.abc import Iterable

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
    return "".join(character for character in text if unicodedata.category(character)[0] in "LNM")


def _kept_of(part: str) -> str:
    """What a bracketed or dashed part of a title says of the song itself: nothing, if it tells a version or a guest."""
    part = part.strip()
    if "remix" in part:
        return _TRAILING_WORDS.sub("", part)
    return "" if _VERSION.fullmatch(part) or _GUEST.fullmatch(part) else part


def cluster_songs(songs: Iterable[Song]) -> dict[str, str]:
    """The cluster of each song id: same ISRC, or same artist and title but for their version.

    A cluster is named by its smallest artist-and-title key. The name stays when versions of the song are added; it can
    change only when an ISRC joins recordings of different artists or titles.
    """
    parents: dict[str, str] = {}
    keys = {}
    for song in songs:
        keys[song.song_id] = _key(song)
        root = _find(parents, keys[song.song_id])
        if song.isrc:
            _join(parents, root, f"isrc:{_letters(song.isrc.casefold())}")
    return {song_id: _find(parents, key) for song_id, key in keys.items()}


_KINDS = ("song", "song-id", "isrc")
"""Kinds of keys; a cluster takes its name from the first kind it has."""


def _key(song: Song) -> str:
    artist = normalised_artist(song.artist)
    # Without an artist a title alone proves nothing: such a song stands for itself.
    return f"song:{artist}:{normalised_title(song.title)}" if artist else f"song-id:{song.song_id}"


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
