"""Near-duplicates: recordings of one song (remasters, live and radio versions) form one cluster.

A cluster is split as one item, so that no version of a test song is ever trained on.
"""

import re
import unicodedata
from collections.abc import Iterable

from registry.records import Song

_VERSION_WORDS = (
    r"remaster(?:ed)?|live|radio|edit|mix|version|acoustic|mono|stereo|single|album|extended|original|deluxe|demo|"
    r"unplugged|instrumental|karaoke|sped up|slowed|anniversary|edition|session|take|bonus|explicit|clean"
)
_BRACKETED = re.compile(rf"[\(\[][^\)\]]*\b(?:{_VERSION_WORDS}|feat|ft|featuring|with)\b[^\)\]]*[\)\]]")
_DASHED = re.compile(rf"\s[-\u2013\u2014]\s[^-\u2013\u2014]*\b(?:{_VERSION_WORDS})\b.*$")
_FEATURING = re.compile(r"\s(?:feat|ft|featuring)\b.*$")
_ARTIST_SEPARATORS = re.compile(r",|;|&|\s(?:feat|ft|featuring|x|vs)\b\.?")


def normalised_title(title: str) -> str:
    """A title without its version: "Harbour (Live) - 2011 Remaster" and "harbour" are the same."""
    text = unicodedata.normalize("NFKC", title).casefold()
    text = _BRACKETED.sub(" ", text)
    text = _DASHED.sub("", text)
    text = _FEATURING.sub("", text)
    kept = "".join(character for character in text if character.isalnum())
    return kept or "".join(text.split())


def normalised_artist(artist: str | None) -> str:
    """The first of the artists, as letters and digits alone."""
    if not artist:
        return ""
    first = _ARTIST_SEPARATORS.split(unicodedata.normalize("NFKC", artist).casefold(), maxsplit=1)[0]
    return "".join(character for character in first if character.isalnum())


def cluster_songs(songs: Iterable[Song]) -> dict[str, str]:
    """The cluster of each song id: same ISRC, or same artist and title but for their version.

    A cluster is named by its smallest artist-and-title key, so the name stays when recordings are added.
    """
    parents: dict[str, str] = {}
    keys = {}
    for song in songs:
        keys[song.song_id] = _key(song)
        root = _find(parents, keys[song.song_id])
        if song.isrc:
            _join(parents, root, f"isrc:{song.isrc.casefold()}")
    return {song_id: _find(parents, key) for song_id, key in keys.items()}


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
    roots = sorted((_find(parents, one), _find(parents, other)), key=lambda key: (key.startswith("isrc:"), key))
    parents[roots[1]] = roots[0]
