"""Searching a version: exact, fast, and nothing else than that version."""

from collections.abc import Sequence

import numpy as np
import pytest

from registry.database import Connection, Database
from registry.errors import BadInput
from registry.records import Playlist, Removal, Song
from registry.vectors import index, removal
from registry.vectors.records import Matrix
from registry.vectors.search import PlaylistFilter, SongFilter, nearest_playlists, nearest_songs
from registry.vectors.vector_set import VectorSet
from tests.registry.vectors.helpers import (
    COMPLETE,
    AddVersion,
    Explaining,
    Vector,
    add_songs,
    attach,
    build,
    ids,
    mentioned,
    merge,
    text_vector,
)
from tests.support.random_vectors import unit

PROBE = unit(1, 8, seed=9)[0]


def test_rows_written_after_attaching_are_visible_at_once(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 30)
    built = build(database, add_version(), attached=True)
    merge(database, Song(song_id="new", title="New"))
    vector = unit(1, 8, seed=42)
    with database.transaction() as connection:
        built.write_songs(connection, built.pending_songs(connection, after="", limit=9), vector)
    with database.transaction() as connection:
        ((name, cosine),) = nearest_songs(connection, built, vector[0], k=1)
    assert name == "new"
    assert cosine == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize(("exact", "least"), [(True, 1.0), (False, 0.97)])
def test_the_nearest_songs_are_those_of_an_exhaustive_comparison(
    database: Database, add_version: AddVersion, *, exact: bool, least: float
) -> None:
    add_songs(database, 500)
    built = build(database, add_version(), attached=True, seed=1)
    matrix, hits = unit(500, 8, seed=1), 0
    with database.transaction() as connection:
        for probe in unit(20, 8, seed=2):
            found = nearest_songs(connection, built, probe, k=10, exact=exact)
            hits += len({name for name, _ in found} & set(nearest(matrix, probe, ids(500))[:10]))
            cosines = [cosine for _, cosine in found]
            assert cosines == sorted(cosines, reverse=True)
            true = matrix @ probe
            np.testing.assert_allclose(cosines, [true[int(name[2:])] for name, _ in found], atol=5e-3)
    assert hits / 200 >= least


@pytest.mark.parametrize("k", [1, 150, 400])
def test_the_index_finds_as_many_songs_as_are_asked_for(database: Database, add_version: AddVersion, k: int) -> None:
    add_songs(database, 500)
    built = build(database, add_version(), attached=True)
    with database.transaction() as connection:
        watched, explaining = Explaining.around(connection)
        found = nearest_songs(watched, built, PROBE, k=k)
    assert len({name for name, _ in found}) == k
    (plan,) = explaining.plans  # the index alone: nothing had to be compared exhaustively
    assert "song_vectors_8_v1_hnsw" in mentioned(plan, "Index Name")


def test_more_songs_than_an_index_can_find_are_refused(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 3)
    built = build(database, add_version(), attached=True)
    with database.transaction() as connection:
        assert len(nearest_songs(connection, built, unit(1, 8)[0], k=1000)) == 3
        with pytest.raises(BadInput, match="1001"):
            nearest_songs(connection, built, unit(1, 8)[0], k=1001)


def test_a_search_looks_as_far_as_the_books_say(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 3_000)
    built = build(database, add_version(64), attached=True, seed=1)
    probes, found = unit(30, 64, seed=2), {}
    for ef_search in (20, 400):
        with database.transaction() as connection:
            index.record_quality(connection, built, index.IndexQuality(0.99, 400 - ef_search + 20, ef_search))
            found[ef_search] = [names(connection, built, probe) for probe in probes]
    with database.transaction() as connection:
        true = [{name for name, _ in nearest_songs(connection, built, each, k=20, exact=True)} for each in probes]
    near, far = (sum(len(set(a) & b) for a, b in zip(each, true, strict=True)) / 600 for each in found.values())
    assert near < 0.9
    assert far > 0.97


@pytest.mark.parametrize("k", [20, 60])
def test_a_search_leaves_its_transaction_as_it_was(database: Database, add_version: AddVersion, k: int) -> None:
    add_songs(database, 50)
    built = build(database, add_version(), attached=True)
    with database.transaction() as connection:
        before = settings(connection)
        connection.execute("INSERT INTO playlists (playlist_id, name) VALUES ('kept', 'Kept')")
        for where in (SongFilter(), SongFilter(genre="rock")):
            nearest_songs(connection, built, PROBE, k=k, where=where)
            assert settings(connection) == before
    with database.transaction() as connection:
        assert connection.execute("SELECT playlist_id FROM playlists").fetchall() == [{"playlist_id": "kept"}]


# Only what is in the catalogue ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("where", [SongFilter(), SongFilter(language="en")])
def test_deleted_songs_are_not_found_though_their_vectors_are_still_there(
    database: Database, add_version: AddVersion, *, exact: bool, where: SongFilter
) -> None:
    add_kinds(database, 2_000)
    built = build(database, add_version(), attached=True, seed=1)
    ranked = nearest(unit(2_000, 8, seed=1), PROBE, ids(2_000))
    merge(database, *(Removal(song_id=name) for name in ranked[:300]))
    with database.transaction() as connection:
        found = [name for name, _ in nearest_songs(connection, built, PROBE, k=20, where=where, exact=exact)]
        assert built.coverage(connection).orphaned == 300
    true = [name for name in ranked[300:] if where == SongFilter() or int(name[2:]) % 3][:20]
    assert len(found) == 20
    assert not set(found) & set(ranked[:300])
    assert len(set(found) & set(true)) >= (20 if exact else 18)


def test_a_song_that_changed_is_found_by_the_vector_it_had(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 30)
    built = build(database, add_version(), attached=True, seed=1)
    merge(database, Song(song_id="s-0007", title="Changed", genre="jazz"))
    with database.transaction() as connection:
        assert names(connection, built, unit(30, 8, seed=1)[7])[0] == "s-0007"
        assert names(connection, built, PROBE, SongFilter(genre="jazz")) == ["s-0007"]


# Filters --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        (SongFilter(genre="Rare"), range(0, 2_000, 100)),
        (SongFilter(genre="USUAL"), [number for number in range(2_000) if number % 100]),
        (SongFilter(language="EN"), [number for number in range(2_000) if number % 3]),
        (SongFilter(genre="rare", language="sv"), range(0, 2_000, 300)),
        (SongFilter(genre="usual", language="de"), []),
        (SongFilter(genre="nothing"), []),
    ],
)
def test_a_filter_keeps_its_songs_and_all_that_were_asked_for(
    database: Database, add_version: AddVersion, where: SongFilter, kept: Sequence[int]
) -> None:
    add_kinds(database, 2_000)
    built = build(database, add_version(), attached=True, seed=1)
    true = nearest(unit(2_000, 8, seed=1)[list(kept)], PROBE, [ids(2_000)[number] for number in kept])[:20]
    with database.transaction() as connection:
        found = names(connection, built, PROBE, where)
        assert len(found) == len(true)
        assert len(set(found) & set(true)) >= 0.9 * len(true)
        assert [name for name, _ in nearest_songs(connection, built, PROBE, k=20, where=where, exact=True)] == true


def test_of_ten_thousand_songs_a_filter_that_keeps_one_finds_it(database: Database, add_version: AddVersion) -> None:
    add_songs(database, 10_000)
    built = build(database, add_version(), attached=True, seed=1)
    merge(database, Song(song_id="s-4321", title="Alone", genre="rare"))
    with database.transaction() as connection:
        assert names(connection, built, PROBE, SongFilter(genre="rare")) == ["s-4321"]


# Plans ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("where", [SongFilter(), SongFilter(genre="usual"), SongFilter(genre="rare")])
def test_a_search_reads_its_own_version_and_no_other(
    database: Database, add_version: AddVersion, where: SongFilter, *, analyzed: bool
) -> None:
    plan = explain(database, add_version, where, analyzed=analyzed)
    assert mentioned(plan, "Relation Name") == {"song_vectors_8_v2", "songs"}
    assert {name for name in mentioned(plan, "Index Name") if "_vectors_" in name} <= {
        "song_vectors_8_v2_hnsw",
        "song_vectors_8_v2_pkey",
    }


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_search_uses_the_index_also_where_statistics_are_missing(
    database: Database, add_version: AddVersion, *, analyzed: bool
) -> None:
    """What autovacuum has not come to yet must not matter; a table just made has no statistics."""
    plan = explain(database, add_version, SongFilter(), analyzed=analyzed)
    assert mentioned(plan, "Index Name") == {"song_vectors_8_v2_hnsw", "songs_pkey"}
    assert not mentioned(plan, "Node Type") & {"Sort", "Seq Scan"}


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize(
    ("where", "read_by"),
    [(SongFilter(genre="rare"), "songs_genre"), (SongFilter(language="sv"), "songs_language")],
)
def test_a_filter_that_keeps_few_reads_these_few(
    database: Database, add_version: AddVersion, where: SongFilter, read_by: str, *, analyzed: bool
) -> None:
    """Also where the planner takes the index for cheaper, as it does for a third of 2,000 songs."""
    plan = explain(database, add_version, where, analyzed=analyzed)
    assert "song_vectors_8_v2_hnsw" not in mentioned(plan, "Index Name")
    assert read_by in mentioned(plan, "Index Name")


def test_a_filter_that_keeps_most_goes_through_the_index(database: Database, add_version: AddVersion) -> None:
    plan = explain(database, add_version, SongFilter(genre="usual"), analyzed=True)
    assert "song_vectors_8_v2_hnsw" in mentioned(plan, "Index Name")


# Playlists ------------------------------------------------------------------------------------------------------------


def test_the_nearest_playlists_are_those_of_an_exhaustive_comparison(
    database: Database, add_version: AddVersion
) -> None:
    built = with_playlists(database, add_version)
    with database.transaction() as connection:
        found = nearest_playlists(connection, built, PROBE, k=7)
    true = nearest(np.array([text_vector(name, 8) for name in PLAYLISTS]), PROBE, PLAYLISTS)[:7]
    assert [name for name, _ in found] == true
    np.testing.assert_allclose(
        [cosine for _, cosine in found], [text_vector(name, 8) @ PROBE for name in true], atol=5e-3
    )


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        (PlaylistFilter(genre="Jazz"), {"p-00", "p-10", "p-20"}),
        (PlaylistFilter(owner="ADA"), {"p-00", "p-15"}),
        (PlaylistFilter(genre="jazz", owner="ada"), {"p-00"}),
        (PlaylistFilter(owner="nobody"), set()),
    ],
)
def test_playlists_are_filtered_by_genre_and_owner(
    database: Database, add_version: AddVersion, where: PlaylistFilter, kept: set[str]
) -> None:
    built = with_playlists(database, add_version)
    with database.transaction() as connection:
        assert {name for name, _ in nearest_playlists(connection, built, PROBE, k=30, where=where)} == kept


def test_deleted_playlists_and_those_of_a_version_that_is_not_whole_are_not_found(
    database: Database, add_version: AddVersion
) -> None:
    built, other = with_playlists(database, add_version), build(database, add_version())
    merge(database, *(Removal(playlist_id=name) for name in PLAYLISTS[1:]))
    with database.transaction() as connection:
        assert [name for name, _ in nearest_playlists(connection, built, PROBE, k=9)] == ["p-00"]
        assert nearest_playlists(connection, other, PROBE, k=9) == []
    attach(database, other)
    with database.transaction() as connection:
        assert len(nearest_playlists(connection, other, PROBE, k=9)) == 1


def test_a_version_that_was_never_made_finds_nothing(database: Database, add_version: AddVersion) -> None:
    nothing = VectorSet(add_version())
    with database.transaction() as connection:
        assert nearest_songs(connection, nothing, PROBE, k=5) == []
        assert nearest_songs(connection, nothing, PROBE, k=5, exact=True) == []
        assert nearest_playlists(connection, nothing, PROBE, k=5) == []


# Versions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [8, 16])
def test_two_versions_live_side_by_side_and_never_mix(
    database: Database, add_version: AddVersion, dimensions: int
) -> None:
    add_songs(database, 60)
    first = build(database, add_version(8), attached=True, seed=1)
    second = build(database, add_version(dimensions), attached=True, seed=2)
    probes = unit(1, 8, seed=3)[0], unit(1, dimensions, seed=4)[0]
    with database.transaction() as connection:
        before = nearest_songs(connection, first, probes[0], k=60)
        beside = nearest_songs(connection, second, probes[1], k=60)
        assert len({name for name, _ in before}) == len({name for name, _ in beside}) == 60
        np.testing.assert_allclose(
            sorted((cosine for _, cosine in beside), reverse=True),
            np.sort(unit(60, dimensions, seed=2) @ probes[1])[::-1],
            atol=5e-3,
        )
        assert second.song_vectors(connection, ["s-0000"])["s-0000"].shape == (dimensions,)
    merge(database, Song(song_id="s-0000", title="Changed"))
    with database.transaction() as connection:
        pending = second.pending_songs(connection, after="", limit=9)
        second.write_songs(connection, pending, unit(1, dimensions, seed=5))
        assert second.coverage(connection) == COMPLETE
        assert first.coverage(connection).stale == 1
        assert nearest_songs(connection, first, probes[0], k=60) == before
    removal.drop(database, second)
    with database.transaction() as connection:
        assert nearest_songs(connection, first, probes[0], k=60) == before


# Made up --------------------------------------------------------------------------------------------------------------

PLAYLISTS = [f"p-{number:02}" for number in range(30)]


def with_playlists(database: Database, add_version: AddVersion) -> VectorSet:
    """30 playlists: every tenth is jazz, every fifteenth Ada's."""
    playlists = [
        Playlist(
            playlist_id=name,
            name=name,
            genre=None if number % 10 else "jazz",
            owner="Bo" if number % 15 else "Ada",
        )
        for number, name in enumerate(PLAYLISTS)
    ]
    merge(database, *playlists)
    return build(database, add_version(), attached=True)


def add_kinds(database: Database, count: int) -> None:
    """Songs of which every hundredth is of a rare genre, and every third Swedish, the others English."""
    merge(
        database,
        *(
            Song(
                song_id=name,
                title=name,
                genre="Usual" if number % 100 else "rare",
                language="en" if number % 3 else "sv",
            )
            for number, name in enumerate(ids(count))
        ),
    )


def explain(database: Database, add_version: AddVersion, where: SongFilter, *, analyzed: bool) -> dict[str, object]:
    """The plan of a search of the second of two versions."""
    add_kinds(database, 2_000)
    built = [build(database, add_version(), attached=True, seed=seed) for seed in (1, 2)]
    with database.transaction() as connection:
        connection.execute("ANALYZE" if analyzed else "SELECT 1")
    with database.transaction() as connection:
        watched, explaining = Explaining.around(connection)
        assert len(nearest_songs(watched, built[1], PROBE, k=20, where=where)) == 20
    (plan,) = explaining.plans
    return plan


def names(connection: Connection, built: VectorSet, probe: Vector, where: SongFilter | None = None) -> list[str]:
    return [name for name, _ in nearest_songs(connection, built, probe, k=20, where=where or SongFilter())]


def nearest(matrix: Matrix, probe: Vector, named: Sequence[str]) -> list[str]:
    """All by cosine, nearest first, in the precision in which they are stored."""
    cosines = matrix.astype(np.float16).astype(np.float64) @ probe.astype(np.float16).astype(np.float64)
    return [named[row] for row in np.argsort(-cosines, kind="stable")]


def settings(connection: Connection) -> list[str]:
    """What a search sets, as it is set now."""
    query = (
        "SELECT name, setting FROM pg_settings WHERE name ~ '^hnsw|^enable_sort|^max_parallel_workers_per' ORDER BY 1"
    )
    return [f"{row['name']} = {row['setting']}" for row in connection.execute(query)]
