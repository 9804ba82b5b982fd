"""A version becomes ready when nothing is lacking and little was set aside, and not before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lifecycle.progress import Silent
from lifecycle.reconcile import finishing, operation
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace
from registry.database import Database
from registry.errors import Refused
from registry.stages import Stage
from serving.inference.encoder import Encoder
from tests.lifecycle.reconcile.helpers import AddVersion, Failing, add, count, song, stage, state

WAITING = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

Use = Callable[[Encoder], None]


def add_poison(workspace: Workspace, folder: Path, how_many: int) -> None:
    add(workspace, folder, *[song(50 + number, description="poison") for number in range(how_many)])


def test_with_five_songs_set_aside_a_version_becomes_ready(
    served: Workspace, encoder: Encoder, add_version: AddVersion, use: Use, tmp_path: Path
) -> None:
    add_poison(served, tmp_path, 5)
    use(Failing(encoder, "poison"))
    assert reconcile(served, add_version(), Silent()).quarantined == 5
    assert stage(served, "v2") is Stage.READY


def test_with_more_set_aside_it_does_not_until_they_are_mended(
    served: Workspace, encoder: Encoder, add_version: AddVersion, use: Use, tmp_path: Path
) -> None:
    add_poison(served, tmp_path, 6)
    use(Failing(encoder, "poison"))
    name = add_version()
    for _ in range(2):
        with pytest.raises(Refused, match="6 of 18 songs") as refused:
            reconcile(served, name, Silent())
        assert "autosort status" in refused.value.remedy
        assert stage(served, name) is Stage.EMBEDDING
        assert not state(served, name).attached

    add(served, tmp_path, *[song(50 + number, description="wholesome") for number in range(6)])
    assert reconcile(served, name, Silent()).embedded == 6
    assert stage(served, name) is Stage.READY
    assert state(served, name).attached


def test_of_a_large_catalogue_a_hundredth_may_be_set_aside(
    served: Workspace,
    encoder: Encoder,
    add_version: AddVersion,
    use: Use,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    add_poison(served, tmp_path, 6)
    use(Failing(encoder, "poison"))
    monkeypatch.setattr(finishing, "quarantine_limit", lambda songs: songs // 3)
    reconcile(served, add_version(), Silent())
    assert stage(served, "v2") is Stage.READY


def test_a_version_that_serves_goes_on_whatever_is_set_aside(
    served: Workspace, encoder: Encoder, use: Use, tmp_path: Path
) -> None:
    add_poison(served, tmp_path, 6)
    use(Failing(encoder, "poison"))
    assert reconcile(served, "v1", Silent()).quarantined == 6
    assert stage(served, "v1") is Stage.LIVE


def test_of_two_that_show_a_version_at_once_both_find_it_ready(
    served: Workspace, add_version: AddVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = add_version()
    with monkeypatch.context() as patch:
        patch.setattr(operation, "show_if_whole", lambda _: None)
        reconcile(served, name, Silent())
    assert stage(served, name) is Stage.EMBEDDING

    failed: list[object] = []
    monkeypatch.setattr(Database, "_after_failure", lambda _, attempt: failed.append(attempt))
    with ThreadPoolExecutor(2) as pool:
        with served.database.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(7120114116)")  # as whoever lays tables out holds it
            both = [pool.submit(reconcile, served, name, Silent()) for _ in range(2)]
            while count(served, WAITING) < 2:
                assert not any(each.done() for each in both)
        for each in both:
            each.result()
    assert stage(served, name) is Stage.READY
    assert failed == []  # nor did one lose to the other and try again
