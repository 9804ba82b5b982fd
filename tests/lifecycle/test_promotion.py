"""Promotions that must not happen: each is refused by a rule of its own, with what was found."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lifecycle.progress import Silent
from lifecycle.promotion import preview, promote
from lifecycle.workspace import Workspace
from registry import catalogue, parallel_runs, pointer, servers, versions
from registry.errors import DigestMismatch, GateClosed
from registry.parallel_runs import ComparedRequest, Kind, SampledRequests
from registry.records import Song
from registry.servers import Standing
from registry.vectors.vector_set import VectorSet

Damage = Callable[[Workspace], None]


def decided(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Each rule's verdict on v2; whether it is better than v1 is beside the point here."""
    try:
        moved = promote(workspace, "v2", Silent())
        assert moved.decision is not None
        document = moved.decision.as_json()
    except GateClosed as closed:
        document = closed.details["decision"]
        assert live(workspace) == "v1"
    return {each["rule"]: each for each in document["verdicts"]}


def live(workspace: Workspace) -> str | None:
    with workspace.database.transaction() as connection:
        return pointer.read(connection).live


def compared(workspace: Workspace, candidate_seconds: float, failed: int = 0) -> None:
    """A parallel run on 300 live requests."""
    at = datetime.now(UTC)
    good = [ComparedRequest(at, 0.01, candidate_seconds, False, False)] * (300 - failed)
    bad = [ComparedRequest(at, 0.01, None, False, True)] * failed
    with workspace.database.transaction() as connection:
        run = parallel_runs.start(connection, Kind.LIVE, "v2", "v1", sample=0.5, canary=0.0, actor="tester")
        parallel_runs.record(connection, run.run_id, good + bad, [])
        parallel_runs.count(connection, run.run_id, "a", SampledRequests(600, 300, 0))


def slower(workspace: Workspace) -> None:
    compared(workspace, 0.02)


def failing(workspace: Workspace) -> None:
    compared(workspace, 0.01, failed=5)


def broken_in_one_replica(workspace: Workspace) -> None:
    with workspace.database.transaction() as connection:
        servers.beat(connection, "good", Standing("v1", 1, ("v1", "v2")))
        servers.beat(connection, "bad", Standing("v1", 1, ("v1",), "v2 cannot be held ready: there is no memory."))


def half_indexed(workspace: Workspace) -> None:
    with workspace.database.transaction() as connection:
        index = VectorSet(versions.get(connection, "v2")).names["index"]
        connection.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass")


def half_covered(workspace: Workspace) -> None:
    with workspace.database.transaction() as connection:
        catalogue.merge(connection, enumerate([Song(song_id="late", title="Late")], start=1))


def too_many_aside(workspace: Workspace) -> None:
    with workspace.database.transaction() as connection:
        connection.execute(
            "INSERT INTO quarantine (version, song_id, content_hash, reason)"
            " SELECT 'v2', song_id, content_hash, 'made up'"
            " FROM song_texts WHERE template = (SELECT (spec->>'text_template')::int FROM model_versions"
            " WHERE version = 'v2') ORDER BY song_id LIMIT 6"
        )


@pytest.mark.parametrize(
    ("damage", "rule", "figure"),
    [
        (slower, "latency", "2.00 times v1's"),
        (failing, "failures", "5 of 300 requests"),
        (broken_in_one_replica, "servers", "bad: v2 cannot be held ready"),
        (half_indexed, "index", "not valid, not used by searches"),
        (half_covered, "coverage", "1 missing"),
        (too_many_aside, "quarantine", "6 of 160 songs"),
    ],
)
def test_each_defect_is_refused_by_its_own_rule(trained: Workspace, damage: Damage, rule: str, figure: str) -> None:
    sound = {each.rule: each.passed for each in preview(trained, "v2", Silent()).verdicts}
    assert sound[rule]
    damage(trained)
    verdicts = decided(trained)
    assert figure in verdicts[rule]["figure"]
    changed = {name for name, each in verdicts.items() if each["passed"] != sound.get(name, True)}
    assert changed == {rule}
    assert verdicts[rule]["remedy"]


def test_a_model_that_was_tampered_with_is_refused(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        digest = versions.get(connection, "v2").spec.embedder.artifact
    file = next((trained.settings.artifacts_folder / digest).glob("*.safetensors"))
    content = file.read_bytes()
    file.unlink()  # other tests link to the same file
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DigestMismatch):
        promote(trained, "v2", Silent(), force=True, reason="a test")
    assert live(trained) == "v1"


def test_what_was_never_compared_is_compared_first(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        connection.execute("TRUNCATE parallel_runs CASCADE")
    verdicts = decided(trained)
    assert verdicts["parallel_run"]["passed"]
    assert "160 songs, replayed, compared with v1" in verdicts["parallel_run"]["figure"]


def test_the_servers_are_asked_to_load_it_and_no_more_once_it_is_refused(trained: Workspace) -> None:
    half_covered(trained)
    with pytest.raises(GateClosed):
        promote(trained, "v2", Silent())
    with trained.database.transaction() as connection:
        assert pointer.read(connection).preparing is None


def test_the_log_keeps_every_verdict_and_that_it_was_forced(trained: Workspace) -> None:
    broken_in_one_replica(trained)
    moved = promote(trained, "v2", Silent(), force=True, reason="a test")
    assert 0 < moved.locked_seconds < 5
    with trained.database.transaction() as connection:
        last = pointer.last_move(connection)
    assert last is not None
    assert last.evidence["forced"] is True
    verdicts = {each["rule"]: each for each in last.evidence["verdicts"]}
    assert not verdicts["servers"]["passed"]
    assert {"parallel_run", "latency", "failures", "agreement", "likeness"} <= verdicts.keys()
