"""A version becomes ready when nothing is lacking and little was set aside, and not before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.progress import Silent
from lifecycle.reconcile import finishing
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace
from registry.errors import Refused
from registry.stages import Stage
from serving.encoder import Encoder
from tests.lifecycle.reconcile.helpers import AddVersion, Failing, add, song, stage, state

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
    monkeypatch.setattr(finishing, "QUARANTINE_SHARE", 6 / 18)
    reconcile(served, add_version(), Silent())
    assert stage(served, "v2") is Stage.READY


def test_a_version_that_serves_goes_on_whatever_is_set_aside(
    served: Workspace, encoder: Encoder, use: Use, tmp_path: Path
) -> None:
    add_poison(served, tmp_path, 6)
    use(Failing(encoder, "poison"))
    assert reconcile(served, "v1", Silent()).quarantined == 6
    assert stage(served, "v1") is Stage.LIVE
