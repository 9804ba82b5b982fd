"""Going back, and the drill of it."""

import pytest

from lifecycle import rollback as moving
from lifecycle.drill import drill
from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.rollback import roll_back
from lifecycle.workspace import Workspace
from registry import catalogue, parallel_runs, pointer, servers
from registry.errors import ArtifactError, Refused
from registry.parallel_runs import Kind
from registry.records import Song
from registry.servers import Standing


@pytest.fixture
def promoted(trained: Workspace) -> Workspace:
    """v2 live, after v1."""
    promote(trained, "v2", Silent(), force=True, reason="a test")
    return trained


def lack(workspace: Workspace, count: int) -> None:
    songs = [Song(song_id=f"late-{number}", title=f"Late {number}") for number in range(count)]
    with workspace.database.transaction() as connection:
        catalogue.merge(connection, enumerate(songs, start=1))


def stand(workspace: Workspace, *warm: str, problem: str | None = None) -> None:
    with workspace.database.transaction() as connection:
        servers.beat(connection, "web-1", Standing("v2", 2, warm, problem))


def live(workspace: Workspace) -> tuple[str | None, int]:
    with workspace.database.transaction() as connection:
        present = pointer.read(connection)
    return present.live, present.generation


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_what_it_lacks_is_counted_told_with_the_time_it_takes_and_embedded(promoted: Workspace) -> None:
    lack(promoted, 3)
    told = Told()
    moved = roll_back(promoted, told)
    assert moved.moved
    assert live(promoted) == ("v1", 3)
    assert any("v1 lacks 3 songs" in line and "about" in line for line in told.lines)
    with promoted.database.transaction() as connection:
        last = pointer.last_move(connection)
    assert last is not None
    assert last.evidence["coverage"]["missing"] == 0


def test_now_moves_at_once_and_the_log_keeps_what_was_lacking(promoted: Workspace) -> None:
    lack(promoted, 3)
    roll_back(promoted, Silent(), now=True)
    with promoted.database.transaction() as connection:
        last = pointer.last_move(connection)
    assert last is not None
    assert (last.evidence["now"], last.evidence["coverage"]["missing"]) == (True, 3)


def test_the_pointers_row_is_locked_for_a_moment_only(promoted: Workspace) -> None:
    moved = roll_back(promoted, Silent())
    assert 0 < moved.locked_seconds < 5
    assert moved.committed_at > 0


def test_a_damaged_model_is_refused_unless_every_server_holds_it(
    promoted: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_digest: str) -> None:
        raise ArtifactError("It was changed.")

    monkeypatch.setattr(promoted.artifacts.__class__, "verified", lambda _self, digest: damaged(digest))
    with pytest.raises(ArtifactError):
        roll_back(promoted, Silent())
    stand(promoted, "v2")
    with pytest.raises(ArtifactError):
        roll_back(promoted, Silent())
    stand(promoted, "v1", "v2")
    assert roll_back(promoted, Silent()).moved


def test_a_drill_moves_nothing_and_tells_that_it_would_work(promoted: Workspace) -> None:
    with promoted.database.transaction() as connection:
        parallel_runs.start(connection, Kind.LIVE, "v1", "v2", sample=0.5, canary=0.0, actor="tester")
        before = (pointer.read(connection).generation, pointer.history(connection)[0].audit_id)
    stand(promoted, "v1", "v2")
    found = drill(promoted)
    assert (found.live, found.target, found.ready, found.cold) == ("v2", "v1", True, {})
    assert set(found.seconds) == {"artifact", "answer", "coverage", "move"}
    with promoted.database.transaction() as connection:
        assert (pointer.read(connection).generation, pointer.history(connection)[0].audit_id) == before
        assert parallel_runs.find_open(connection) is not None


def test_a_drill_tells_what_would_be_in_the_way(promoted: Workspace) -> None:
    lack(promoted, 3)
    stand(promoted, "v2", problem="v1 cannot be held ready: there is no memory.")
    found = drill(promoted)
    assert not found.ready
    assert found.coverage.missing == 3
    assert found.catch_up_seconds > 0
    assert found.cold == {"web-1": "v1 cannot be held ready: there is no memory."}


def test_a_drill_of_what_cannot_be_done_is_refused(trained: Workspace) -> None:
    with pytest.raises(Refused, match="only one was ever live"):
        drill(trained)
    with pytest.raises(Refused, match="v2 is ready"):
        drill(trained, "v2")
    with pytest.raises(Refused, match="v1 is live already"):
        drill(trained, "v1")


def test_a_version_that_was_fled_from_is_not_gone_back_to_by_itself(promoted: Workspace) -> None:
    roll_back(promoted, Silent())
    with pytest.raises(Refused, match="because of a rollback from v2"):
        moving.roll_back(promoted, Silent())
