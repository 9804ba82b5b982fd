import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lifecycle.base_version import ensure_base_version
from lifecycle.importing import import_file
from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.reconcile.operation import reconcile, reconcile_all
from lifecycle.retiring import retire
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.errors import Refused
from registry.stages import Stage
from registry.texts import render_song
from registry.vectors.vector_set import VectorSet
from serving.encoder import Encoder, Tokens


def write(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def song(number: int, **fields: object) -> dict[str, object]:
    return {"kind": "song", "song_id": f"s{number}", "title": f"Title {number}", "artist": "Somebody", **fields}


@pytest.fixture
def served(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Twelve songs, three playlists of four songs, v1 live."""
    records = [song(number) for number in range(12)]
    records += [{"kind": "playlist", "playlist_id": f"p{each}", "name": f"List {each}"} for each in range(3)]
    records += [
        {"kind": "membership", "playlist_id": f"p{number % 3}", "song_id": f"s{number}"} for number in range(12)
    ]
    import_file(workspace, write(tmp_path / "library.jsonl", *records))
    ensure_base_version(workspace, Silent())
    return workspace


def stored(workspace: Workspace, *song_ids: str) -> dict[str, np.ndarray]:
    with workspace.database.transaction() as connection:
        vectors = VectorSet(versions.get(connection, "v1"))
        return vectors.song_vectors(connection, song_ids)


def complete(workspace: Workspace) -> bool:
    with workspace.database.transaction() as connection:
        return VectorSet(versions.get(connection, "v1")).coverage(connection).complete


def test_stored_vectors_are_the_encoders_own(served: Workspace) -> None:
    with served.database.transaction() as connection:
        songs = catalogue.songs_by_id(connection, ["s3", "s7"])
        encoder = served.load_encoder(versions.get(connection, "v1").spec.embedder)
    for song_id, vector in stored(served, "s3", "s7").items():
        expected = encoder.songs([render_song(songs[song_id])])[0]  # type: ignore[index]
        assert vector == pytest.approx(expected, abs=1e-3)


def test_only_what_changed_is_embedded_again(served: Workspace, tmp_path: Path) -> None:
    import_file(
        served,
        write(
            tmp_path / "more.jsonl",
            song(1, description="It has words now."),
            song(2, popularity=50),
            song(99),
            {"kind": "removal", "song_id": "s5"},
        ),
    )
    before = stored(served, "s2")["s2"]
    done = reconcile(served, "v1", Silent())
    assert (done.embedded, done.deleted, done.quarantined) == (2, 1, 0)
    assert complete(served)
    assert stored(served, "s2")["s2"] == pytest.approx(before)
    assert set(stored(served, "s1", "s5", "s99")) == {"s1", "s99"}


def test_nothing_to_do_needs_no_model(served: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the model was loaded although nothing was missing")

    monkeypatch.setattr(Workspace, "load_encoder", fail)
    assert reconcile(served, "v1", Silent()).embedded == 0


def test_profiles_follow_members_and_songs(served: Workspace, tmp_path: Path) -> None:
    def centroid() -> np.ndarray:
        with served.database.transaction() as connection:
            profiles = VectorSet(versions.get(connection, "v1")).profiles(connection)
        found = next(each.centroid for each in profiles if each.playlist.playlist_id == "p0")
        assert found is not None
        return found

    before = centroid()
    import_file(served, write(tmp_path / "change.jsonl", song(0, description="A tuba solo about tax law.")))
    assert not complete(served)
    reconcile(served, "v1", Silent())
    members = np.array(list(stored(served, "s0", "s3", "s6", "s9").values()))
    mean = members.mean(axis=0)
    assert centroid() == pytest.approx(mean / np.linalg.norm(mean), abs=2e-3)
    assert not np.allclose(before, centroid(), atol=1e-3)


class PoisonedEncoder(Encoder):
    """The real encoder, but one word makes it fail, alone or in a batch."""

    def forward(self, tokens: Sequence[Tokens]) -> np.ndarray:
        poison = self.tokenize(["poison"])[0][1]
        if any(poison in each for each in tokens):
            raise RuntimeError("a kernel gave up")
        return super().forward(tokens)


def test_a_song_that_cannot_be_embedded_is_set_aside_and_comes_back_once_fixed(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_file(served, write(tmp_path / "poison.jsonl", song(50), song(51, description="poison"), song(52)))

    with monkeypatch.context() as patch:
        patch.setattr(
            Workspace,
            "load_encoder",
            lambda self, spec, **_: PoisonedEncoder.load(self.artifacts, spec),
        )
        done = reconcile(served, "v1", Silent())
    assert (done.embedded, done.quarantined) == (2, 1)
    assert done.coverage is not None
    assert done.coverage.complete
    assert done.coverage.quarantined == 1

    import_file(served, write(tmp_path / "fixed.jsonl", song(51, description="wholesome")))
    done = reconcile(served, "v1", Silent())
    assert done.embedded == 1
    assert done.coverage is not None
    assert done.coverage.quarantined == 0


def test_two_processes_that_reconcile_at_once_leave_one_row_a_song(served: Workspace, tmp_path: Path) -> None:
    import_file(served, write(tmp_path / "many.jsonl", *[song(number) for number in range(100, 400)]))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            reconcile(served, "v1", Silent())
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert complete(served)
    with served.database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n, count(DISTINCT song_id) AS d FROM song_vectors_384").fetchone()
    assert row == {"n": 312, "d": 312}


def test_a_version_that_was_given_up_is_refused_and_left_out_of_a_sync(trained: Workspace) -> None:
    assert retire(trained, "v2") is Stage.REJECTED
    with pytest.raises(Refused):
        reconcile(trained, "v2", Silent())
    with pytest.raises(Refused):
        promote(trained, "v2", Silent())
    assert [each.version for each in reconcile_all(trained, Silent())] == ["v1"]
