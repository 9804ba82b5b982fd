"""Reconciling makes a version's vectors match the catalogue, whatever has happened before and meanwhile."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.reconcile.operation import reconcile, reconcile_all, waiting_songs
from lifecycle.retiring import retire
from lifecycle.workspace import Workspace
from registry import catalogue
from registry.errors import Refused
from registry.stages import Stage
from registry.texts import render_song
from registry.vectors import index
from serving.inference.encoder import Encoder
from serving.inference.waiting import Matrix
from tests.lifecycle.reconcile.helpers import (
    AddVersion,
    Doing,
    Record,
    add,
    count,
    coverage,
    member,
    playlist,
    song,
    stage,
    state,
    stored,
    vector_set,
)


def expected(workspace: Workspace, encoder: Encoder, *song_ids: str) -> Mapping[str, np.ndarray]:
    with workspace.database.transaction() as connection:
        found = catalogue.songs_by_id(connection, list(song_ids))
    return {song_id: encoder.songs([render_song(each)])[0] for song_id, each in found.items()}


def assert_same(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for song_id, vector in wanted.items():
        assert found[song_id] == pytest.approx(vector, abs=1e-3), song_id


# Each once, and right -------------------------------------------------------------------------------------------------


def test_stored_vectors_are_the_encoders_own(served: Workspace, encoder: Encoder) -> None:
    assert_same(stored(served, "s3", "s7"), expected(served, encoder, "s3", "s7"))


def test_only_what_changed_is_embedded_again(served: Workspace, tmp_path: Path) -> None:
    add(
        served,
        tmp_path,
        song(1, description="It has words now."),
        song(2, popularity=50),
        song(99),
        {"kind": "removal", "song_id": "s5"},
    )
    before = stored(served, "s2")["s2"]
    done = reconcile(served, "v1", Silent())
    assert (done.embedded, done.deleted, done.quarantined) == (2, 1, 0)
    assert coverage(served).complete
    assert stored(served, "s2")["s2"] == pytest.approx(before)
    assert set(stored(served, "s1", "s5", "s99")) == {"s1", "s99"}


def test_nothing_to_do_needs_no_model(served: Workspace, use: Callable[[object], None]) -> None:
    use(None)
    assert not reconcile(served, "v1", Silent()).did_anything


def test_profiles_follow_members_and_songs(served: Workspace, tmp_path: Path) -> None:
    def centroid() -> np.ndarray:
        vectors = vector_set(served)
        with served.database.transaction() as connection:
            profiles = vectors.profiles(connection)
        found = next(each.centroid for each in profiles if each.playlist.playlist_id == "p0")
        assert found is not None
        return found

    before = centroid()
    add(served, tmp_path, song(0, description="A tuba solo about tax law."))
    assert not coverage(served).complete
    reconcile(served, "v1", Silent())
    members = np.array(list(stored(served, "s0", "s3", "s6", "s9").values()))
    mean = members.mean(axis=0)
    assert centroid() == pytest.approx(mean / np.linalg.norm(mean), abs=2e-3)
    assert not np.allclose(before, centroid(), atol=1e-3)


@pytest.mark.usefixtures("small_chunks")
def test_a_catalogue_of_many_chunks_is_embedded_whole(
    served: Workspace, encoder: Encoder, add_version: AddVersion, tmp_path: Path
) -> None:
    more = range(100, 130)
    add(
        served,
        tmp_path,
        *[song(number, description="la " * (1 + number % 17)) for number in more],
        *[playlist(number) for number in range(3, 8)],
        *[member(number, number % 8) for number in more],
    )
    name = add_version()
    done = reconcile(served, name, Silent())
    assert (done.embedded, done.profiles, done.quarantined) == (42, 8, 0)
    assert stage(served, name) is Stage.READY
    every = [f"s{number}" for number in (*range(12), *more)]
    assert_same(stored(served, *every, version=name), expected(served, encoder, *every))
    assert count(served, "embedding_claims") == count(served, "embedding_workers") == 0


def test_a_text_longer_than_the_model_reads_is_cut_and_embedded(
    served: Workspace, encoder: Encoder, tmp_path: Path
) -> None:
    add(served, tmp_path, song(50, description="rain " * 3_000), song(51, description="short"))
    done = reconcile(served, "v1", Silent())
    assert (done.embedded, done.quarantined) == (2, 0)
    assert_same(stored(served, "s50", "s51"), expected(served, encoder, "s50", "s51"))


def test_a_playlist_whose_text_has_not_changed_keeps_its_vector(
    served: Workspace, encoder: Encoder, use: Callable[[object], None], tmp_path: Path
) -> None:
    class Wordless(Encoder):
        def playlists(self, texts: Sequence[str]) -> Matrix:
            raise AssertionError(f"embedded again: {texts}")

    add(served, tmp_path, member(1, 0))
    use(Wordless(encoder._model, encoder.spec))
    assert reconcile(served, "v1", Silent()).profiles == 1
    assert coverage(served).complete


# Nothing there --------------------------------------------------------------------------------------------------------


def test_a_catalogue_without_playlists_will_do(served: Workspace, add_version: AddVersion) -> None:
    with served.database.transaction() as connection:
        connection.execute("DELETE FROM memberships")
        connection.execute("DELETE FROM playlists")
    done = reconcile(served, add_version(), Silent())
    assert (done.embedded, done.profiles) == (12, 0)
    assert stage(served, "v2") is Stage.READY
    assert reconcile(served, "v1", Silent()).deleted == 3


def test_an_empty_catalogue_will_do(served: Workspace, add_version: AddVersion) -> None:
    with served.database.transaction() as connection:
        connection.execute("TRUNCATE memberships, playlists, songs CASCADE")
    done = reconcile(served, add_version(), Silent())
    assert not done.did_anything
    assert stage(served, "v2") is Stage.READY
    assert reconcile(served, "v1", Silent()).deleted == 15
    assert coverage(served).complete


# Becoming ready -------------------------------------------------------------------------------------------------------


def test_a_new_version_becomes_ready_with_an_index_that_was_measured(
    served: Workspace, add_version: AddVersion
) -> None:
    name = add_version()
    assert stage(served, name) is Stage.REGISTERED
    done = reconcile(served, name, Silent())
    assert done.coverage is not None
    assert done.coverage.complete
    assert stage(served, name) is Stage.READY
    books = state(served, name)
    assert books.attached
    assert books.index_recall == 1
    vectors = vector_set(served, name)
    with served.database.transaction() as connection:
        assert index.is_valid(connection, vectors)


@pytest.mark.usefixtures("small_chunks")
def test_what_changes_while_it_is_embedded_is_embedded_before_the_version_is_ready(
    served: Workspace, encoder: Encoder, add_version: AddVersion, tmp_path: Path
) -> None:
    change: tuple[Record, ...] = (
        song(0, description="Changed when its vector was written already."),
        song(50),
        {"kind": "removal", "song_id": "s11"},
        playlist(9),
        member(50, 9),
    )
    name = add_version()
    reconcile(served, name, Doing(lambda: add(served, tmp_path, *change)))
    assert stage(served, name) is Stage.READY
    assert coverage(served, name).complete
    assert count(served, f"song_vectors_384 WHERE model_version = '{name}'") == 12
    assert_same(stored(served, "s0", "s50", version=name), expected(served, encoder, "s0", "s50"))


def test_a_version_that_was_given_up_is_refused_and_left_out_of_a_sync(
    served: Workspace, add_version: AddVersion
) -> None:
    name = add_version()
    assert retire(served, name) is Stage.REJECTED
    with pytest.raises(Refused):
        reconcile(served, name, Silent())
    with pytest.raises(Refused):
        promote(served, name, Silent())
    assert [each.version for each in reconcile_all(served, Silent())] == ["v1"]
    assert [(each.version, waiting) for each, waiting in waiting_songs(served)] == [("v1", 0)]


@pytest.mark.usefixtures("small_chunks")
def test_a_version_that_was_given_up_while_its_worker_slept_is_said_to_be(
    served: Workspace, add_version: AddVersion
) -> None:
    name = add_version()

    def sleep_while_it_is_retired() -> None:
        with served.database.transaction() as connection:
            connection.execute("UPDATE embedding_workers SET seen_at = now() - interval '1 hour'")
        retire(served, name)

    with pytest.raises(Refused, match="v2 is rejected"):
        reconcile(served, name, Doing(sleep_while_it_is_retired))
    assert count(served, "embedding_workers") == 0


def test_what_waits_is_told_of_versions_with_and_without_vectors(
    served: Workspace, add_version: AddVersion, tmp_path: Path
) -> None:
    add_version()
    add(served, tmp_path, song(50), song(1, description="It has words now."))
    reconcile(served, "v1", Silent())
    add(served, tmp_path, song(51))
    with served.database.transaction() as connection:
        catalogue.refresh_texts(connection)
    assert [(each.version, waiting) for each, waiting in waiting_songs(served)] == [("v1", 1), ("v2", 14)]


# Several at once ------------------------------------------------------------------------------------------------------


def test_of_many_that_begin_a_version_at_once_none_is_in_the_others_way(
    served: Workspace, add_version: AddVersion
) -> None:
    together = threading.Barrier(4)

    def run(name: str) -> Stage:
        together.wait()
        reconcile(served, name, Silent())
        return stage(served, name)

    with ThreadPoolExecutor(4) as pool:
        for name in (add_version(), add_version()):
            assert list(pool.map(run, [name] * 4)) == [Stage.READY] * 4


@pytest.mark.usefixtures("small_chunks")
def test_two_that_reconcile_at_once_share_the_work_and_both_end_with_it_whole(
    served: Workspace, add_version: AddVersion, tmp_path: Path
) -> None:
    add(served, tmp_path, *[song(number) for number in range(100, 300)])
    name, together = add_version(), threading.Barrier(2)

    def run() -> tuple[int, bool]:
        together.wait()
        done = reconcile(served, name, Silent())
        assert done.coverage is not None
        return done.embedded, done.coverage.complete

    with ThreadPoolExecutor(2) as pool:
        first, second = (future.result() for future in [pool.submit(run), pool.submit(run)])
    assert first[1]
    assert second[1]
    assert first[0] + second[0] == 212
    assert min(first[0], second[0]) > 0
    assert count(served, f"song_vectors_384 WHERE model_version = '{name}'") == 212
    assert stage(served, name) is Stage.READY
