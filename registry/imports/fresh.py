"""Which songs and playlists a file has already given, so that it need not give them again on every row."""

from hashlib import blake2b

from registry.records import CatalogueRecord, Playlist, Song

REMEMBERED = 1_000_000
"""About 150 MB when full. What is forgotten is only given once more, and the catalogue takes it as unchanged."""


class Fresh:
    """Remembers of each id what it was last given as: two 64-bit digests, never the record."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._last: dict[int, int] = {}

    def is_news(self, record: CatalogueRecord) -> bool:
        """Whether the record says something other than the last one of its id; always so for a membership.

        The last, not any earlier one: where a file contradicts itself, its last word must stand.
        """
        match record:
            case Song(song_id=name) | Playlist(playlist_id=name):
                key = _digest(f"{type(record).__name__} {name}")
            case _:
                return True
        content = _digest(record.model_dump_json())
        if self._last.get(key) == content:
            return False
        self._remember(key, content)
        return True

    def _remember(self, key: int, content: int) -> None:
        if len(self._last) >= self._capacity:
            del self._last[next(iter(self._last))]
        self._last[key] = content


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
