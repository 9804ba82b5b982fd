import pytest
from filelock import FileLock

from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.retiring import retire
from lifecycle.retrain import retrain
from lifecycle.workspace import Workspace
from registry import versions
from registry.errors import AlreadyRunning, Refused
from tests.support.trainings import SHORT


def test_the_same_training_is_found_and_not_done_again(trained: Workspace) -> None:
    again = retrain(trained, SHORT, Silent())
    assert (again.version.version, again.found) == ("v2", True)
    with trained.database.transaction() as connection:
        assert [each.version for each in versions.list_all(connection)] == ["v1", "v2"]


def test_a_training_whose_version_was_given_up_is_refused(trained: Workspace) -> None:
    retire(trained, "v2")
    with pytest.raises(Refused, match="--seed"):
        retrain(trained, SHORT, Silent())


def test_a_second_retraining_at_once_is_told(trained: Workspace) -> None:
    trained.runs.mkdir(parents=True, exist_ok=True)
    with FileLock(trained.runs / "retrain.lock"), pytest.raises(AlreadyRunning):
        retrain(trained, SHORT, Silent())


def test_the_version_keeps_what_it_was_made_from(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        version = versions.get(connection, "v2")
        base = versions.get(connection, "v1")
    training = version.spec.training
    assert training is not None
    assert training.parent == "v1"
    assert training.configuration == SHORT.model_dump(mode="json")
    assert (trained.datasets / training.dataset / "manifest.json").is_file()
    assert training.metrics["development_n"] > 0
    assert version.spec.embedder.artifact != base.spec.embedder.artifact
    assert version.spec.matching.signals != base.spec.matching.signals
    card = (trained.artifacts.verified(version.spec.embedder.artifact) / "README.md").read_text()
    assert training.dataset in card


def test_the_base_model_can_be_retired_and_trained_from_again(trained: Workspace) -> None:
    promote(trained, "v2", Silent(), force=True, reason="a test")
    with trained.database.transaction() as connection:
        connection.execute("UPDATE live_pointer SET previous_version = NULL")  # as after a third version's promotion
        artifact = versions.get(connection, "v1").spec.embedder.artifact
    retire(trained, "v1")
    assert trained.artifacts.verified(artifact)
    again = retrain(trained, SHORT, Silent())
    assert (again.version.version, again.live) == ("v2", "v2")
