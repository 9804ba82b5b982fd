"""Room on the database's disk is looked for before the work, not found missing in it."""

import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest

from lifecycle.progress import Silent
from lifecycle.reconcile import space
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace
from registry.errors import Refused
from registry.stages import Stage
from tests.lifecycle.reconcile.helpers import AddVersion, Told, count, stage


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Leave so many bytes on every disk."""

    def left(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - free, free))

    return left


def test_without_room_it_is_refused_before_anything_is_embedded(
    served: Workspace, add_version: AddVersion, leave: Callable[[int], None], use: Callable[[object], None]
) -> None:
    leave(1_000)
    use(None)
    name = add_version()
    with pytest.raises(Refused, match="12 songs takes about") as refused:
        reconcile(served, name, Silent())
    assert "autosort retire" in refused.value.remedy
    assert count(served, f"song_vectors_384_{name}") == 0
    assert count(served, "embedding_workers") == 0


def test_with_room_enough_it_goes_on(served: Workspace, add_version: AddVersion, leave: Callable[[int], None]) -> None:
    leave(40_000)
    reconcile(served, add_version(), Silent())
    assert stage(served, "v2") is Stage.READY


def test_nothing_to_embed_needs_no_room(served: Workspace, leave: Callable[[int], None]) -> None:
    leave(0)
    assert not reconcile(served, "v1", Silent()).did_anything


def test_a_lot_is_said_beforehand(served: Workspace, leave: Callable[[int], None]) -> None:
    leave(5 * 10**9)
    told = Told()
    space.require_room(served, 1_000_000, 384, told)
    assert len(told.lines) == 1
    assert "5.00 GB left" in told.lines[0]
    space.require_room(served, 1_000, 384, told)
    assert len(told.lines) == 1


def test_where_the_disk_cannot_be_looked_at_the_need_is_said_all_the_same(
    served: Workspace, monkeypatch: pytest.MonkeyPatch, leave: Callable[[int], None]
) -> None:
    leave(0)
    monkeypatch.setattr(space, "read_data_folder", lambda _: None)
    told = Told()
    space.require_room(served, 1_000_000, 384, told)
    assert "not known" in told.lines[0]
