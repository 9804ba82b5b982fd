"""The index of a version's songs: built with what the server has, measured, watched."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql

from registry.database import Connection, Database
from registry.records import Playlist
from registry.vectors import index
from registry.vectors.index import BuildPlan, BuildProgress, IndexQuality
from registry.vectors.search import nearest_songs
from registry.vectors.vector_set import VectorSet
from tests.registry.vectors.helpers import AddVersion, add_songs, build, create, merge, tables
from tests.support.random_vectors import unit

MIB = 1024


def test_an_index_is_valid_once_it_is_built_and_building_it_again_changes_nothing(
    database: Database, add_version: AddVersion
) -> None:
    add_songs(database, 300)
    built = build(database, add_version())
    with database.transaction() as connection:
        assert not index.is_valid(connection, built)
    for _ in range(2):
        with database.transaction() as connection:
            index.build(connection, built, index.plan_build(connection, built))
        with database.transaction() as connection:
            assert index.is_valid(connection, built)
            assert [name for name in tables(connection) if "hnsw" in name] == ["song_vectors_8_v1_hnsw"]


def test_an_index_that_was_interrupted_is_not_there(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 30)
    built = build(database, add_version())
    with pytest.raises(RuntimeError), database.transaction() as connection:
        index.build(connection, built, index.plan_build(connection, built))
        raise RuntimeError
    with database.transaction() as connection:
        assert not index.is_valid(connection, built)
        assert not [name for name in tables(connection) if "hnsw" in name]


# Planning -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maintenance", "cache", "memory"),
    [
        (
            1,
            1000,
            4970,
        ),  # 5,000 songs of 8 dimensions: 5,000 · (16 + 800) bytes in KiB, and a quarter more, if there is room
        (1, 4, 2 * MIB),  # half of the cache is all that may be taken
        (8, 1000, 8 * MIB),  # what operators allow for maintenance is taken in any case
        (8, 4, 8 * MIB),
    ],
)
def test_an_index_is_built_in_the_memory_that_its_graph_needs_if_the_server_can_spare_it(
    database: Database, add_version: AddVersion, maintenance: int, cache: int, memory: int
) -> None:
    add_songs(database, 5_000)
    built = build(database, add_version())
    with database.transaction() as connection:
        put(connection, maintenance_work_mem=f"{maintenance}MB", effective_cache_size=f"{cache}MB")
        plan = index.plan_build(connection, built)
    assert plan.rows == 5_000
    assert plan.memory == pytest.approx(memory, abs=15)


@pytest.mark.parametrize(
    ("maintenance_workers", "workers", "planned"), [(2, 8, 4), (2, 2, 2), (0, 0, 0), (6, 8, 6), (2, 64, 8), (20, 64, 8)]
)
def test_an_index_is_built_by_as_many_processes_as_the_server_lends(
    database: Database, add_version: AddVersion, maintenance_workers: int, workers: int, planned: int
) -> None:
    made = create(database, add_version())
    with database.transaction() as connection:
        put(connection, max_parallel_maintenance_workers=maintenance_workers, max_parallel_workers=workers)
        assert index.plan_build(connection, made).workers == planned


def test_building_ends_its_settings_with_the_transaction(database: Database, add_version: AddVersion) -> None:
    built = build(database, add_version())
    query = (
        "SELECT name, setting FROM pg_settings WHERE name ~ 'maintenance|client_connection|enable|hnsw' ORDER BY name"
    )
    with database.transaction() as connection:
        before = connection.execute(query).fetchall()
    with database.transaction() as connection:
        index.build(connection, built, BuildPlan(rows=0, memory=2 * MIB, workers=0))
        index.measure(connection, built)
    with database.transaction() as connection:
        assert connection.execute(query).fetchall() == before


# Watching -------------------------------------------------------------------------------------------------------------


def test_an_index_that_nobody_builds_has_no_progress(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 30)
    built = build(database, add_version())
    with database.transaction() as connection:
        assert index.read_progress(connection, built) is None
    with database.transaction() as connection:
        index.build(connection, built, index.plan_build(connection, built))
    with database.transaction() as connection:
        assert index.read_progress(connection, built) is None
        assert index.read_progress(connection, create(database, add_version())) is None


def test_how_far_an_index_is_can_be_seen_by_others(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 6_000)
    built = build(database, add_version(64))

    def work() -> None:
        with database.transaction() as connection:
            index.build(connection, built, BuildPlan(rows=6_000, memory=64 * MIB, workers=0))

    seen: list[BuildProgress] = []
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while not working.done():
            with database.transaction() as connection:
                progress = index.read_progress(connection, built)
            seen += [progress] if progress else []
            time.sleep(0.01)
        working.result()
    done = [each.done for each in seen]
    assert done == sorted(done)
    assert any(0 < each < 6_000 for each in done)


# Measuring ------------------------------------------------------------------------------------------------------------


def test_on_easy_data_a_short_look_finds_all(database: Database, add_version: AddVersion) -> None:
    built = indexed(database, add_version, songs=300, dimensions=8)
    with database.transaction() as connection:
        quality = index.measure(connection, built)
    assert quality.recall >= 0.995
    assert quality.ef_search == 60


def test_on_hard_data_searches_look_farther_and_find_what_was_measured(
    database: Database, add_version: AddVersion
) -> None:
    built = indexed(database, add_version, songs=4_000, dimensions=64)
    with database.transaction() as connection:
        quality = index.measure(connection, built)
        index.record_quality(connection, built, quality)
        built.attach(connection)
    assert quality.ef_search > 60
    assert quality.recall >= 0.95
    found = 0
    with database.transaction() as connection:
        for probe in unit(40, 64, seed=5):
            near = {name for name, _ in nearest_songs(connection, built, probe, k=20)}
            found += len(near & {name for name, _ in nearest_songs(connection, built, probe, k=20, exact=True)})
    assert found / 800 == pytest.approx(quality.recall, abs=0.03)


def test_an_empty_catalogue_is_found_completely(database: Database, add_version: AddVersion) -> None:
    built = indexed(database, add_version, songs=0, dimensions=8)
    with database.transaction() as connection:
        assert index.measure(connection, built).recall == 1


def test_songs_with_equal_vectors_count_as_found_either_way(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 400)
    made = create(database, add_version())
    with database.transaction() as connection:
        pending = made.pending_songs(connection)
        made.write_songs(connection, pending, unit(80, 8).repeat(5, axis=0))
        index.build(connection, made, index.plan_build(connection, made))
        assert index.measure(connection, made).recall == 1


def test_what_was_measured_is_in_the_books(database: Database, add_version: AddVersion) -> None:
    first, second = create(database, add_version()), create(database, add_version())
    with database.transaction() as connection:
        index.record_quality(connection, first, IndexQuality(recall=0.987, ef_search=120, text_ef_search=200))
        state, other = first.state(connection), second.state(connection)
    assert state is not None
    assert state.index_recall == pytest.approx(0.987)
    assert (state.ef_search, state.text_ef_search) == (120, 200)
    assert other is not None
    assert (other.index_recall, other.ef_search) == (None, None)


def test_settling_brings_statistics_up_to_date(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 700)
    built = build(database, add_version())
    with database.autocommit() as connection:
        index.settle(connection, built)
        row = connection.execute("SELECT reltuples, relallvisible FROM pg_class WHERE relname = 'song_vectors_8_v1'")
        assert row.fetchone() == {"reltuples": 700, "relallvisible": pytest.approx(5, abs=10)}


def indexed(database: Database, add_version: AddVersion, *, songs: int, dimensions: int) -> VectorSet:
    """A version with its index, not yet attached."""
    if songs:
        add_songs(database, songs)
        merge(database, *(Playlist(playlist_id=f"p-{number}", name="P") for number in range(20)))
    built = build(database, add_version(dimensions), seed=1)
    with database.transaction() as connection:
        index.build(connection, built, index.plan_build(connection, built))
    return built


def put(connection: Connection, **settings: str | int) -> None:
    """Let the server have these settings for the rest of the transaction."""
    for name, value in settings.items():
        connection.execute(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value)))
