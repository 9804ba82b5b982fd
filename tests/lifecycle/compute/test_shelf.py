"""Folders that travel in pieces, and are there whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lifecycle.compute import transfer
from lifecycle.compute.container import use_shelf
from lifecycle.compute.shelf import Kind, Shelf
from lifecycle.progress import Silent
from registry.artifacts import ArtifactStore, digest_of
from registry.errors import BadInput, ComputeError, DigestMismatch, NotFound


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PIECE_BYTES", 1000)


class Far:
    """A shelf on this disk, called as one far away is; what travels back can be spoiled."""

    def __init__(self, root: Path) -> None:
        self.shelf = Shelf(root)
        self.calls: list[str] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data

    def call(self, method: str, *arguments: Any) -> Any:
        self.calls.append(method)
        found = use_shelf(self.shelf, method, *arguments)
        return self.spoil(found) if method == "read" else found


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path / "far")


@pytest.fixture
def artifact(tmp_path: Path) -> tuple[str, Path]:
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 11)
    (folder / "1_Pooling" / "config.json").write_text("{}")
    (folder / "empty.txt").write_text("")
    store = ArtifactStore(tmp_path / "here")
    return (digest := store.add(folder)), store.verified(digest)


def test_what_is_sent_and_fetched_is_the_same(far: Far, artifact: tuple[str, Path], tmp_path: Path) -> None:
    digest, folder = artifact
    assert transfer.send(far, Kind.ARTIFACT, digest, folder, Silent())
    assert digest_of(far.shelf.artifacts.verified(digest)) == digest
    fetched = transfer.fetch(far, Kind.ARTIFACT, digest, tmp_path / "back" / digest, Silent())
    assert digest_of(fetched) == digest
    assert far.calls.count("read") == 4


def test_nothing_travels_twice(far: Far, artifact: tuple[str, Path], tmp_path: Path) -> None:
    digest, folder = artifact
    target = tmp_path / "back" / digest
    for _ in range(2):
        transfer.send(far, Kind.ARTIFACT, digest, folder, Silent())
        transfer.fetch(far, Kind.ARTIFACT, digest, target, Silent())
    assert far.calls.count("write") == 5
    assert far.calls.count("read") == 4


def test_what_arrives_changed_is_not_there(far: Far, artifact: tuple[str, Path]) -> None:
    digest, _ = artifact
    far.call("write", "artifacts", digest, "model.safetensors", 0, b"something else")
    with pytest.raises(DigestMismatch, match="Send it again"):
        far.call("seal", "artifacts", digest)
    assert not far.shelf.has(Kind.ARTIFACT, digest)
    assert not [each for each in (far.shelf.root / "artifacts").rglob("*") if each.is_file()]


def test_what_comes_back_changed_is_not_kept(far: Far, artifact: tuple[str, Path], tmp_path: Path) -> None:
    digest, folder = artifact
    transfer.send(far, Kind.ARTIFACT, digest, folder, Silent())
    far.spoil = lambda data: data[:-1] + b"x"
    with pytest.raises(ComputeError, match="arrived changed"):
        transfer.fetch(far, Kind.ARTIFACT, digest, tmp_path / "back" / digest, Silent())
    assert not (tmp_path / "back" / digest).exists()
    far.spoil = lambda data: data
    assert digest_of(transfer.fetch(far, Kind.ARTIFACT, digest, tmp_path / "back" / digest, Silent())) == digest


@pytest.mark.parametrize("name", ["../other", "/etc", "a/../../b", ""])
def test_no_name_leads_out_of_the_shelf(far: Far, name: str) -> None:
    with pytest.raises(BadInput, match="names nothing"):
        far.call("has", "artifacts", name)
    with pytest.raises(BadInput, match="names nothing"):
        far.call("write", "runs", "run", name, 0, b"x")


def test_what_is_not_there_is_told(far: Far) -> None:
    with pytest.raises(NotFound, match="not on this disk"):
        far.call("pieces", "artifacts", "0" * 64)
    with pytest.raises(NotFound, match="not on this disk"):
        far.call("read", "runs", "run", "standing.json", 0, 10)
    for method, kind in (("folder", "runs"), ("has", "elsewhere")):
        with pytest.raises(BadInput, match="has no"):
            far.call(method, kind, "name")
