"""Workers share the work of a version: nothing twice, nothing forgotten, whoever dies."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry import catalogue
from registry.database import Database
from registry.records import Playlist
from registry.vectors.claims import LEASE_SECONDS, Claim, Crew, Kind, list_workers
from registry.vectors.records import FreshProfile, PendingPlaylist, PendingSong
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion
from tests.support.random_vectors import add_songs, unit

SONGS = 95
ALL = {f"s-{number:04}" for number in range(SONGS)}


@pytest.fixture
def vectors(database: Database, add_version: Callable[..., ModelVersion]) -> VectorSet:
    """The tables of a version for which nothing is embedded yet, and a catalogue of 95 songs."""
    add_songs(database, SONGS)
    made = VectorSet(add_version())
    with database.transaction() as connection:
        catalogue.refresh_texts(connection)
        made.create(connection)
    return made


@pytest.fixture
def join(database: Database, vectors: VectorSet) -> Callable[..., Crew]:
    """Let a worker join, on a machine, as a process (by default this one, which lives)."""

    def joined(worker: str, *, machine: str = "here", process: int | None = None) -> Crew:
        crew = Crew(vectors, worker=worker, machine=machine, process=os.getpid() if process is None else process)
        with database.transaction() as connection:
            crew.join(connection)
            crew.begin_round(connection, Kind.SONGS)
            crew.begin_round(connection, Kind.PLAYLISTS)
        return crew

    return joined


@pytest.fixture
def dead_process() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def _claim(database: Database, crew: Crew, limit: int = 10) -> tuple[Claim, list[PendingSong]] | None:
    with database.transaction() as connection:
        return crew.claim_songs(connection, limit=limit)


def _claimed(database: Database, crew: Crew, limit: int = 10) -> tuple[Claim, list[str]]:
    claimed = _claim(database, crew, limit)
    assert claimed is not None
    return claimed[0], [each.song.song_id for each in claimed[1]]


def _write(database: Database, vectors: VectorSet, pending: list[PendingSong]) -> None:
    with database.transaction() as connection:
        vectors.write_songs(connection, pending, unit(len(pending), vectors.dimensions))


def _release(database: Database, crew: Crew, *claims: Claim) -> None:
    with database.transaction() as connection:
        crew.release(connection, claims)


def _open(database: Database, crew: Crew, kind: Kind = Kind.SONGS) -> int:
    with database.transaction() as connection:
        return crew.open_claims(connection, kind)


def _finish(database: Database, crew: Crew) -> Claim | None:
    with database.transaction() as connection:
        return crew.claim_finish(connection)


def _silence(database: Database, worker: str, seconds: float = LEASE_SECONDS + 5) -> None:
    """Make a worker's last sign of life so many seconds old."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE embedding_workers SET seen_at = now() - %s * interval '1 second' WHERE worker = %s",
            [seconds, worker],
        )


# Sharing --------------------------------------------------------------------------------------------------------------


def test_two_workers_get_every_song_and_none_twice(database: Database, join: Callable[..., Crew]) -> None:
    crews = [join("a"), join("b")]
    got: list[str] = []
    for turn in range(10):
        got += _claimed(database, crews[turn % 2])[1]
    assert sorted(got) == sorted(ALL)
    assert [_claim(database, crew) for crew in crews] == [None, None]


def test_workers_at_once_get_every_song_and_none_twice(
    database: Database, join: Callable[..., Crew], vectors: VectorSet
) -> None:
    together = threading.Barrier(4)

    def work(crew: Crew) -> list[str]:
        got: list[str] = []
        together.wait()
        while claimed := _claim(database, crew, limit=3):
            got += [each.song.song_id for each in claimed[1]]
            _write(database, vectors, claimed[1])
            _release(database, crew, claimed[0])
        return got

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, [join(f"worker {number}") for number in range(4)]))
    assert sorted(song for share in shares for song in share) == sorted(ALL)


def test_what_is_claimed_is_what_is_missing(database: Database, join: Callable[..., Crew], vectors: VectorSet) -> None:
    with database.transaction() as connection:
        pending = vectors.pending_songs(connection, limit=30)
    _write(database, vectors, pending)
    claim, songs = _claimed(database, join("a"))
    assert songs == [f"s-{number:04}" for number in range(30, 40)]
    assert (claim.kind, claim.after_id, claim.last_id) == (Kind.SONGS, "", "s-0039")


def test_playlists_are_shared_as_songs_are(database: Database, join: Callable[..., Crew], vectors: VectorSet) -> None:
    _add_playlists(database, 7)
    a, b = join("a"), join("b")
    got: list[PendingPlaylist] = []
    with database.transaction() as connection:
        for crew in (a, b, a):
            claimed = crew.claim_playlists(connection, limit=3)
            assert claimed is not None
            got += claimed[1]
        assert b.claim_playlists(connection, limit=3) is None
        vectors.write_profiles(connection, [_profile(each) for each in got])
    assert sorted(each.playlist.playlist_id for each in got) == ["p", *(f"q-{number}" for number in range(7))]
    assert _open(database, a, Kind.PLAYLISTS) == 3
    assert _open(database, a, Kind.SONGS) == 0


def test_another_versions_workers_claim_for_themselves(
    database: Database, join: Callable[..., Crew], add_version: Callable[..., ModelVersion]
) -> None:
    other = VectorSet(add_version())
    crew = Crew(other, worker="other", machine="here", process=os.getpid())
    with database.transaction() as connection:
        other.create(connection)
        crew.join(connection)
        crew.begin_round(connection, Kind.SONGS)
    first = _claimed(database, join("a"), SONGS)[1]
    assert _claimed(database, crew, SONGS)[1] == first


# Dying ----------------------------------------------------------------------------------------------------------------


def test_a_page_left_by_a_worker_killed_on_this_machine_is_had_at_once_by_the_next_with_what_is_missing_in_it(
    database: Database, join: Callable[..., Crew], vectors: VectorSet, dead_process: int
) -> None:
    claimed = _claim(database, join("killed", process=dead_process))
    assert claimed is not None
    _write(database, vectors, claimed[1][:4] + claimed[1][6:])

    claim, songs = _claimed(database, join("next"))
    assert claim == claimed[0]
    assert songs == ["s-0004", "s-0005"]


def test_of_a_worker_elsewhere_only_its_silence_is_known(
    database: Database, join: Callable[..., Crew], dead_process: int
) -> None:
    left, songs = _claimed(database, join("far", machine="there", process=dead_process))
    crew = join("near")
    assert not set(songs) & set(_claimed(database, crew)[1])

    _silence(database, "far", LEASE_SECONDS - 5)
    assert not set(songs) & set(_claimed(database, crew)[1])

    _silence(database, "far")
    assert _claimed(database, crew) == (left, songs)


def test_a_worker_that_lives_on_this_machine_keeps_its_page_when_another_joins(
    database: Database, join: Callable[..., Crew]
) -> None:
    songs = _claimed(database, join("a"))[1]
    assert not set(songs) & set(_claimed(database, join("b"))[1])


def test_what_a_worker_holds_when_it_leaves_is_anybodys(database: Database, join: Callable[..., Crew]) -> None:
    a, b = join("a"), join("b")
    left = _claimed(database, a)
    with database.transaction() as connection:
        a.leave(connection)
    assert _open(database, b) == 1
    assert _claimed(database, b) == left


def test_a_page_left_with_nothing_missing_in_it_is_closed_and_the_next_is_given(
    database: Database, join: Callable[..., Crew], vectors: VectorSet
) -> None:
    a, b = join("a"), join("b")
    claimed = _claim(database, a)
    assert claimed is not None
    _write(database, vectors, claimed[1])
    with database.transaction() as connection:
        a.leave(connection)

    claim, songs = _claimed(database, b)
    assert songs[0] == "s-0010"
    _release(database, b, claim)
    assert _open(database, b) == 0


def test_a_worker_thought_dead_comes_back_with_its_next_sign_of_life(
    database: Database, join: Callable[..., Crew]
) -> None:
    slow, other = join("slow"), join("other")
    claim, songs = _claimed(database, slow)
    _silence(database, "slow")
    assert _claimed(database, other)[1] == songs
    assert _workers(database) == ["other"]

    with database.transaction() as connection:
        slow.beat(connection, embedded=7, quarantined=1)
    assert sorted(_workers(database)) == ["other", "slow"]
    _release(database, slow, claim)  # not its own any more
    assert _open(database, other) == 1
    assert _claimed(database, slow)[1][0] == "s-0010"


def test_a_worker_thought_dead_comes_back_by_claiming(database: Database, join: Callable[..., Crew]) -> None:
    slow, other = join("slow"), join("other")
    _silence(database, "slow")
    assert _claim(database, other) is not None
    assert _workers(database) == ["other"]
    assert _claimed(database, slow)[1][0] == "s-0010"
    assert sorted(_workers(database)) == ["other", "slow"]

    _silence(database, "slow")
    assert _open(database, other) == 2
    assert _finish(database, slow) is not None


# Finishing ------------------------------------------------------------------------------------------------------------


def test_one_worker_finishes_and_the_others_do_not_until_it_is_done(
    database: Database, join: Callable[..., Crew]
) -> None:
    a, b = join("a"), join("b")
    claim = _finish(database, a)
    assert claim is not None
    assert _finish(database, b) is None
    assert _finish(database, a) == claim  # its answer was lost with a connection, and is asked for again
    _release(database, a, claim)
    assert _finish(database, b) is not None


def test_of_many_at_once_one_finishes(database: Database, join: Callable[..., Crew]) -> None:
    crews = [join(f"worker {number}") for number in range(4)]
    together = threading.Barrier(4)

    def try_it(crew: Crew) -> Claim | None:
        together.wait()
        return _finish(database, crew)

    with ThreadPoolExecutor(4) as pool:
        assert sum(claim is not None for claim in pool.map(try_it, crews)) == 1


def test_another_finishes_what_a_dead_worker_was_at(
    database: Database, join: Callable[..., Crew], dead_process: int
) -> None:
    assert _finish(database, join("killed", process=dead_process)) is not None
    far = join("far", machine="there")
    assert _finish(database, far) is None  # from there it is not known yet that the other is dead
    near = join("near")
    assert _finish(database, near) is not None

    _silence(database, "near", LEASE_SECONDS - 5)
    assert _finish(database, far) is None
    _silence(database, "near")
    assert _finish(database, far) is not None


# Rounds ---------------------------------------------------------------------------------------------------------------


def test_a_round_begins_anew_only_if_nobody_holds_a_claim(database: Database, join: Callable[..., Crew]) -> None:
    a = join("a")
    claim, songs = _claimed(database, a)
    b = join("b")
    assert _claimed(database, b)[1][0] == "s-0010"
    _release(database, a, claim)
    c = join("c")
    assert _claimed(database, c)[1][0] == "s-0020"

    with database.transaction() as connection:
        b.leave(connection)
        c.leave(connection)
    d = join("d")
    assert _claimed(database, d)[1][0] == "s-0010"
    assert _claimed(database, d)[1][0] == "s-0020"
    with database.transaction() as connection:
        connection.execute("DELETE FROM embedding_claims")
    assert _claimed(database, join("e"))[1] == songs


def test_a_round_does_not_begin_anew_while_somebody_is_about_to_claim(
    database: Database, join: Callable[..., Crew]
) -> None:
    a, b = join("a"), join("b")
    waiting = threading.Event()

    def begin() -> None:
        with database.transaction() as connection:
            waiting.set()
            b.begin_round(connection, Kind.SONGS)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            connection.execute("SELECT position FROM embedding_rounds WHERE kind = 'songs' FOR UPDATE")
            begun = pool.submit(begin)
            waiting.wait()
            _wait_for_a_lock(database)
            claimed = a.claim_songs(connection, limit=10)
        begun.result()
    assert claimed is not None
    assert _claimed(database, b)[1][0] == "s-0010"


def test_what_a_worker_holds_without_knowing_it_can_let_go_and_have_again(
    database: Database, join: Callable[..., Crew]
) -> None:
    a, b = join("a"), join("b")
    lost, known = _claimed(database, a), _claimed(database, b)
    with database.transaction() as connection:
        a.let_go(connection, Kind.PLAYLISTS)
    assert _claimed(database, a)[1][0] == "s-0020"
    with database.transaction() as connection:
        a.let_go(connection, Kind.SONGS)
    assert _claimed(database, a) == lost
    _release(database, b, known[0])
    assert _open(database, a) == 2


def test_only_ones_own_claims_are_given_back(database: Database, join: Callable[..., Crew]) -> None:
    a, b = join("a"), join("b")
    first, second, third = (_claimed(database, crew)[0] for crew in (a, a, b))
    _release(database, b, first, second, third)
    assert _open(database, a) == 2
    _release(database, a, first, second)
    assert _open(database, a) == 0


# Who is at it ---------------------------------------------------------------------------------------------------------


def test_workers_are_listed_with_what_they_have_done_the_longest_at_it_first(
    database: Database, join: Callable[..., Crew]
) -> None:
    a = join("z")
    join("a")
    join("silent")
    _silence(database, "silent")
    with database.transaction() as connection:
        connection.execute("UPDATE embedding_workers SET started_at = now() - interval '1 minute' WHERE worker = 'z'")
        a.beat(connection, embedded=12, quarantined=3)
        first, second = list_workers(connection)
    assert (first.version, first.worker, first.embedded, first.quarantined) == ("v1", "z", 12, 3)
    assert 60 <= first.seconds < 120
    assert (second.worker, second.embedded, second.quarantined) == ("a", 0, 0)
    assert 0 <= second.seconds < 60


def test_who_leaves_is_listed_no_more(database: Database, join: Callable[..., Crew]) -> None:
    a = join("a")
    join("b")
    with database.transaction() as connection:
        a.leave(connection)
    assert _workers(database) == ["b"]


def _workers(database: Database) -> list[str]:
    with database.transaction() as connection:
        return [each.worker for each in list_workers(connection)]


def _add_playlists(database: Database, count: int) -> None:
    records = [Playlist(playlist_id=f"q-{number}", name=f"Q {number}") for number in range(count)]
    with database.transaction() as connection:
        catalogue.merge(connection, enumerate(records, start=1))


def _profile(pending: PendingPlaylist) -> FreshProfile:
    return FreshProfile(pending.playlist.playlist_id, pending.revision, b"", unit(1, 8)[0])


def _wait_for_a_lock(database: Database) -> None:
    """Wait until some other connection to this database waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while True:
        with database.transaction() as connection:
            if connection.execute(waiting).rowcount:
                return
