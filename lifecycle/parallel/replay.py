"""A parallel run without traffic: both versions answer the same songs, one after the other, in turn."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lifecycle.matching import answering_of
from lifecycle.parallel.running import require_comparable
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import catalogue, parallel_runs, pointer, versions
from registry.database import actor
from registry.errors import NotFound
from registry.imports.reader import Row, read_library
from registry.parallel_runs import ComparedRequest, ComparedSong, Kind, ParallelRun, SampledRequests
from registry.records import Song, SongId
from serving.matching import matcher
from serving.matching.matcher import Answering, Recorded
from serving.parallel.compared import Answered, compare
from serving.parallel.rankings import DEPTH

_SERVER = "replay"
_EMBEDDED_AFRESH = 40
"""So many songs are embedded as if they were told: what is on record costs both versions the same."""


def replay_recent(
    workspace: Workspace, name: str, count: int, progress: Progress, against: str | None = None
) -> ParallelRun:
    """Compare two versions on songs that came last: first those that users spoke of, then those that were imported.

    Raises:
        NotFound: there is no such version, none is live, or the catalogue is empty.
        Refused: a version is not ready.
    """
    with workspace.database.transaction() as connection:
        songs = catalogue.recent_songs(connection, limit=count)
    return _replay(workspace, name, songs, progress, against)


def replay_file(
    workspace: Workspace, name: str, file: Path, progress: Progress, against: str | None = None
) -> ParallelRun:
    """Compare two versions on the songs of a file in any import format; nothing of it is imported.

    Raises:
        BadInput: the file cannot be read, or holds no song.
        NotFound: there is no such version, or none is live.
        Refused: a version is not ready.
    """
    return _replay(workspace, name, _songs_of(file), progress, against)


def _replay(
    workspace: Workspace, name: str, songs: Sequence[Song], progress: Progress, against: str | None
) -> ParallelRun:
    if not songs:
        raise NotFound("There is no song to replay.", "Run `autosort import FILE` first.")
    with workspace.database.transaction() as connection:
        live = require_comparable(connection, name, against or pointer.read(connection).live)
        both = [answering_of(workspace, connection, versions.get(connection, each)) for each in (live, name)]
        known = catalogue.songs_by_id(connection, [song.song_id for song in songs])
    compared = []
    with progress.task(f"Comparing {name} with {live}", len(songs), unit="songs") as advance:
        for number, song in enumerate(songs):
            afresh = number < _EMBEDDED_AFRESH or known.get(SongId(song.song_id)) != song
            compared.append(_compared(workspace, both, song, afresh=afresh, turn=number))
            advance(number + 1)
    return _record(workspace, name, live, compared)


def _compared(
    workspace: Workspace, both: Sequence[Answering], song: Song, *, afresh: bool, turn: int
) -> tuple[ComparedRequest, list[ComparedSong]]:
    """Both versions' answers; who goes first changes with every song."""
    answers = {each: _answered(workspace, both[each], song, afresh=afresh) for each in ((0, 1) if turn % 2 else (1, 0))}
    return compare([song], answers[0], answers[1], at=datetime.now(UTC))


def _answered(workspace: Workspace, answering: Answering, song: Song, *, afresh: bool) -> Answered:
    begun = time.perf_counter()
    if afresh:
        recorded = Recorded({}, {})
    else:
        with workspace.database.transaction() as connection:
            recorded = matcher.look_up(connection, answering, [song])
    results = matcher.match(answering, [song], recorded, top_k=DEPTH)
    return Answered(results, time.perf_counter() - begun)


def _record(
    workspace: Workspace, name: str, live: str, compared: Sequence[tuple[ComparedRequest, list[ComparedSong]]]
) -> ParallelRun:
    with workspace.database.transaction() as connection:
        run = parallel_runs.start(connection, Kind.REPLAY, name, live, sample=1.0, canary=0.0, actor=actor())
        requests = [request for request, _ in compared]
        parallel_runs.record(connection, run.run_id, requests, [song for _, songs in compared for song in songs])
        counted = SampledRequests(seen=len(compared), sampled=len(compared))
        parallel_runs.count(connection, run.run_id, _SERVER, counted)
        parallel_runs.end(connection, run.run_id)
    return run


def _songs_of(file: Path) -> list[Song]:
    rows = (entry.record for entry in read_library(file) if isinstance(entry, Row))
    return [record for record in rows if isinstance(record, Song)]
