"""The songs of a request and what the database knows of them, read without keeping other requests waiting."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from registry.database import Database
from registry.records import Song
from serving import matcher
from serving.disclosure import unreachable
from serving.matcher import Answering, Recorded
from serving.schemas import SongRequest
from serving.slot import VersionSlot

_THREADS = 6
"""Fewer than a `Database` has connections, so that the slot's look at the pointer always finds one."""


@dataclass(frozen=True)
class Requested:
    """Songs in the order of the request, with what is on record of those of the catalogue."""

    songs: list[Song]
    recorded: Recorded


class RequestedSongs:
    """Looks requested songs up in threads of its own: while the database is away, only they wait for it."""

    def __init__(self, database: Database, slot: VersionSlot) -> None:
        self._database = database
        self._slot = slot
        self._threads = ThreadPoolExecutor(_THREADS, "requested-songs")

    async def look_up(self, answering: Answering, asked: Sequence[SongRequest]) -> Requested:
        """The requested songs; told ones need no database.

        Raises:
            NotFound: an id is not in the catalogue.
            DatabaseUnavailable: the catalogue is needed and cannot be reached.
        """
        song_ids = [each.song_id for each in asked if each.song_id is not None]
        if not song_ids:
            return Requested(_in_order(asked, []), Recorded({}, {}))
        self._check_reachable()
        known, recorded = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._read, answering, song_ids
        )
        return Requested(_in_order(asked, known), recorded)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _read(self, answering: Answering, song_ids: list[str]) -> tuple[list[Song], Recorded]:
        self._check_reachable()  # again: it may have gone while this waited for a thread
        with self._database.transaction() as connection:
            known = matcher.resolve_songs(connection, song_ids)
            return known, matcher.look_up(connection, answering, known)

    def _check_reachable(self) -> None:
        if not self._slot.database_reachable:
            raise unreachable()


def _in_order(asked: Sequence[SongRequest], known: Sequence[Song]) -> list[Song]:
    """The requested songs: those of the catalogue from it, the others as told."""
    from_catalogue = iter(known)
    return [next(from_catalogue) if each.song_id else each.as_song(number) for number, each in enumerate(asked)]
