"""The quarter, from beginning to end, in all its outcomes."""

from collections.abc import Iterator

import pytest
from psycopg.types.json import Jsonb

from lifecycle.gate.policy import GatePolicy
from lifecycle.progress import Silent
from lifecycle.quarter import Outcome, Quarter, run_quarter
from lifecycle.workspace import Workspace
from registry import parallel_runs, pointer, spending, versions
from tests.support.receiver import Receiver
from tests.support.trainings import SHORT
from training.configuration import profile

LENIENT = GatePolicy(
    better_overall=False, overall_margin=1, unseen_playlist_margin=1, general_similarity_margin=1, latency_margin=100
)
STRICT = GatePolicy(minimum_queries=2, overlap_floor=1.0)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    monkeypatch.setenv("AUTOSORT_WEBHOOKS", receiver.url.get_secret_value())
    yield receiver
    receiver.close()


def make_due(workspace: Workspace, policy: GatePolicy = LENIENT) -> None:
    """As if v1 were of an earlier quarter, and v2 trained under another policy."""
    with workspace.database.transaction() as connection:
        connection.execute("ALTER TABLE model_versions DISABLE TRIGGER model_versions_immutable")
        connection.execute("UPDATE model_versions SET registered_at = now() - interval '100 days' WHERE version = 'v1'")
        connection.execute(
            "UPDATE model_versions SET spec = jsonb_set(spec, '{training,gate}', %s) WHERE version = 'v2'",
            [Jsonb(policy.model_dump(mode="json"))],
        )


def run(workspace: Workspace) -> Quarter:
    return run_quarter(workspace, SHORT, Silent())  # which made v2, and is found again


def live(workspace: Workspace) -> str | None:
    with workspace.database.transaction() as connection:
        return pointer.read(connection).live


def test_what_is_not_due_costs_nothing_and_nobody_is_told(trained: Workspace, receiver: Receiver) -> None:
    done = run(trained)
    assert done.outcome is Outcome.NOT_DUE
    assert not done.details["check"]["due"]
    assert receiver.told == []
    with trained.database.transaction() as connection:
        assert spending.list_month(connection) == []


def test_a_version_that_passes_the_gate_is_compared_and_a_person_is_asked(
    trained: Workspace, receiver: Receiver
) -> None:
    make_due(trained)
    done = run(trained)
    assert (done.outcome, done.version, live(trained)) == (Outcome.WAITS, "v2", "v1")
    with trained.database.transaction() as connection:
        found = parallel_runs.find_open(connection)
    assert found is not None
    assert (found.candidate, found.live) == ("v2", "v1")
    (told,) = receiver.told
    assert (told["event"], told["outcome"], told["version"]) == ("quarter", "waits_for_promotion", "v2")
    assert "autosort promote v2" in told["why"]


def test_it_goes_live_by_itself_only_where_that_is_configured(
    trained: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(trained)
    monkeypatch.setenv("AUTOSORT_AUTO_PROMOTE", "true")
    assert run(trained).outcome is Outcome.PROMOTED
    assert live(trained) == "v2"
    assert receiver.told[0]["outcome"] == "promoted"


def test_a_version_that_the_gate_refuses_stays_and_the_reasons_are_told(
    trained: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(trained, STRICT)
    monkeypatch.setenv("AUTOSORT_AUTO_PROMOTE", "true")
    done = run(trained)
    assert (done.outcome, live(trained)) == (Outcome.WORSE, "v1")
    assert "overlap" in done.why
    assert receiver.told[0]["why"] == done.why
    with trained.database.transaction() as connection:
        assert parallel_runs.find_open(connection) is None


def test_what_the_budget_does_not_allow_is_not_begun(
    trained: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(trained)
    monkeypatch.setenv("AUTOSORT_LOCAL_PRICE", "1")
    monkeypatch.setenv("AUTOSORT_BUDGET", "1")
    done = run(trained)
    assert done.outcome is Outcome.OVER_BUDGET
    assert "$1.00" in done.why
    assert receiver.told[0]["outcome"] == "over_budget"
    with trained.database.transaction() as connection:
        assert len(versions.list_all(connection)) == 2
        assert spending.list_month(connection) == []


def test_where_modal_is_away_it_is_put_off(
    trained: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_due(trained)
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    monkeypatch.setenv("MODAL_SERVER_URL", "http://127.0.0.1:9")
    done = run_quarter(trained, profile("bundled", epochs=2), Silent())
    assert done.outcome is Outcome.PUT_OFF
    assert "Modal cannot be reached" in receiver.told[0]["why"]
