"""The songs of a request and what the database knows of them, read without keeping other requests waiting."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from registry.database import Database
from registry.records import Song
from serving.database_threads import DatabaseThreads
from serving.inference.steps import step
from serving.matching import matcher
from serving.matching.filling import Candidates, near
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering, Recorded
from serving.schemas import SongRequest

_THREADS = 4


@dataclass(frozen=True)
class Requested:
    """Songs in the order of the request, with what is on record of those of the catalogue, read in so many seconds."""

    songs: list[Song]
    recorded: Recorded
    seconds: float = 0.0


class RequestedSongs:
    """Looks requested songs up in threads of its own: while the database is away, only they wait for it.

    Args:
        reachable: whether the database was there when somebody last looked.
    """

    def __init__(self, database: Database, reachable: Callable[[], bool]) -> None:
        self._database = database
        self._threads = DatabaseThreads(reachable, _THREADS, "requested-songs")

    async def look_up(self, answering: Answering, asked: Sequence[SongRequest]) -> Requested:
        """The requested songs; told ones need no database.

        Raises:
            NotFound: an id is not in the catalogue.
            DatabaseUnavailable: the catalogue is needed and cannot be reached.
        """
        if not _song_ids(asked):
            return self.read(answering, asked)
        with step("database"):
            return await self._threads.run(lambda: self.read(answering, asked))

    def read(self, answering: Answering, asked: Sequence[SongRequest]) -> Requested:
        """The same in the caller's own thread."""
        if _song_ids(asked):
            self._threads.require()
        return read_requested(self._database, answering, asked)

    async def near(self, answering: Answering, index: PlaylistIndex, *, members: bool) -> Candidates:
        """Songs of the catalogue near one playlist, those that it holds only if asked for.

        Raises:
            DatabaseUnavailable: the catalogue cannot be reached.
        """
        return await self._threads.run(lambda: self._near(answering, index, members=members))

    def close(self) -> None:
        """End the threads."""
        self._threads.close()

    def _near(self, answering: Answering, index: PlaylistIndex, *, members: bool) -> Candidates:
        with self._database.transaction() as connection:
            return near(connection, answering, index, members=members)


def read_requested(database: Database, answering: Answering, asked: Sequence[SongRequest]) -> Requested:
    """The requested songs, those of the catalogue read from the database.

    Raises:
        NotFound: an id is not in the catalogue.
        DatabaseUnavailable: the catalogue is needed and cannot be reached.
    """
    song_ids = _song_ids(asked)
    if not song_ids:
        return Requested(_in_order(asked, []), Recorded({}, {}))
    begun = time.perf_counter()
    with database.transaction() as connection:
        known = matcher.resolve_songs(connection, song_ids)
        recorded = matcher.look_up(connection, answering, known)
    return Requested(_in_order(asked, known), recorded, time.perf_counter() - begun)


def _song_ids(asked: Sequence[SongRequest]) -> list[str]:
    return [each.song_id for each in asked if each.song_id is not None]


def _in_order(asked: Sequence[SongRequest], known: Sequence[Song]) -> list[Song]:
    """The requested songs: those of the catalogue from it, the others as told."""
    from_catalogue = iter(known)
    return [next(from_catalogue) if each.song_id else each.as_song(number) for number, each in enumerate(asked)]
