"""Starting and ending a parallel run."""

import pytest

from lifecycle import retiring
from lifecycle.parallel import running
from lifecycle.workspace import Workspace
from registry import parallel_runs, pointer, versions
from registry.errors import BadInput, NotFound, Refused
from registry.stages import Stage
from tests.support.trained_versions import register_trained, with_two_versions


@pytest.fixture
def registry(workspace: Workspace) -> Workspace:
    """v1 live, v2 ready."""
    return with_two_versions(workspace)


def test_a_run_is_started_and_ended_and_both_are_kept_in_the_log(registry: Workspace) -> None:
    run = running.start(registry, "v2", sample=0.2, canary=0.05)
    assert (run.candidate, run.live, run.sample, run.canary) == ("v2", "v1", 0.2, 0.05)
    assert running.stop(registry).run_id == run.run_id
    with registry.database.transaction() as connection:
        acts = [(each.action, each.version) for each in pointer.history(connection, limit=2)]
        assert parallel_runs.find_open(connection) is None
    assert acts == [("compare_end", "v2"), ("compare", "v2")]


def test_what_makes_no_sense_is_refused(registry: Workspace) -> None:
    with pytest.raises(BadInput, match="--sample, --canary"):
        running.start(registry, "v2", sample=0.0, canary=0.0)
    with pytest.raises(Refused, match="with itself"):
        running.start(registry, "v1", sample=0.2, canary=0.0)
    with pytest.raises(NotFound, match="v9"):
        running.start(registry, "v9", sample=0.2, canary=0.0)
    with pytest.raises(NotFound, match="No parallel run is on"):
        running.stop(registry)


def test_a_version_that_is_not_ready_is_refused(registry: Workspace) -> None:
    name = register_trained(registry, "third").version
    with pytest.raises(Refused, match=f"{name} is registered.*autosort reembed {name}"):
        running.start(registry, name, sample=0.2, canary=0.0)


def test_a_version_is_not_retired_while_it_is_compared(registry: Workspace) -> None:
    running.start(registry, "v2", sample=0.2, canary=0.0)
    with pytest.raises(Refused, match=r"v2 takes part in a parallel run.*autosort compare stop"):
        retiring.retire(registry, "v2")
    running.stop(registry)
    assert retiring.retire(registry, "v2") is Stage.REJECTED
    with registry.database.transaction() as connection:
        assert versions.get(connection, "v2").stage is Stage.REJECTED


def test_what_was_never_compared_is_told_with_what_to_do(registry: Workspace) -> None:
    with pytest.raises(NotFound, match=r"v2 was not compared yet.*compare start v2"):
        running.found(registry, "v2")
    running.start(registry, "v2", sample=0.2, canary=0.0)
    with pytest.raises(NotFound, match="v2 was not compared with v1 yet, or nothing has come of it"):
        running.found(registry, "v2")
