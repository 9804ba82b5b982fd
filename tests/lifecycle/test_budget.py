"""The month's budget: asked before the work, settled after it, whatever came of the work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lifecycle import budget
from lifecycle.budget import Waiver, following_bill, reembedding_bill, training_bill
from lifecycle.progress import Silent
from lifecycle.workspace import Workspace
from registry import spending
from registry.errors import BadInput, ComputeUnavailable, NotFound, OverBudget
from registry.spending import Expense
from training.configuration import profile

NO_WAIVER = Waiver()
BUNDLED = profile("bundled", epochs=1)


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def expenses(workspace: Workspace) -> list[Expense]:
    with workspace.database.transaction() as connection:
        return spending.list_month(connection)


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine costs 10 cents a second; the month has 30 dollars."""
    monkeypatch.setenv("AUTOSORT_LOCAL_PRICE", "0.1")
    monkeypatch.setenv("AUTOSORT_DEVICE", "cpu")


@contextmanager
def _training(workspace: Workspace, waiver: Waiver = NO_WAIVER, *, told: Told | None = None) -> Iterator[None]:
    with training_bill(workspace, BUNDLED, told or Told(), waiver, reembed=True):
        yield


def test_free_work_is_never_refused_and_is_written_down_with_no_dollars(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSORT_BUDGET", "0")
    told = Told()
    with training_bill(trained, BUNDLED, told, NO_WAIVER, reembed=True) as bill:
        time.sleep(0.05)
        bill.version = "v2"
    (kept,) = expenses(trained)
    assert (kept.dollars, kept.version, kept.work.value) == (0, "v2", "training")
    assert kept.seconds is not None
    assert 0.05 <= kept.seconds < 5
    assert kept.details["pairs"] > 0
    assert told.lines == []


@pytest.mark.usefixtures("priced")
def test_what_work_took_is_priced_by_the_second(trained: Workspace) -> None:
    with _training(trained, Waiver(reason="the quarter")):
        (begun,) = expenses(trained)
        assert begun.dollars is None
        time.sleep(0.05)
    (kept,) = expenses(trained)
    assert kept.seconds is not None
    assert kept.dollars == pytest.approx(0.1 * kept.seconds)
    assert kept.estimate > (kept.dollars or 0)
    assert (kept.reason, "@" in kept.actor) == ("the quarter", True)


@pytest.mark.usefixtures("priced")
def test_work_that_fails_is_paid_for_and_its_error_is_told(trained: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), _training(trained):
        time.sleep(0.02)
        raise ZeroDivisionError
    (kept,) = expenses(trained)
    assert kept.dollars is not None
    assert kept.dollars >= 0.002
    assert kept.details["failed"] == "ZeroDivisionError"


@pytest.mark.usefixtures("priced")
def test_work_whose_database_went_away_tells_its_own_error_and_stays_at_its_estimate(trained: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), _training(trained):
        trained.database.close()
        raise ZeroDivisionError


@pytest.mark.usefixtures("priced")
def test_the_budget_is_kept(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_BUDGET", "1.5")
    with (
        pytest.raises(OverBudget, match=r"\$0.00 of this month's \$1.50 .* --over-budget --reason"),
        _training(trained),
    ):
        pytest.fail("this work was not to be done")
    assert expenses(trained) == []


@pytest.mark.usefixtures("priced")
def test_the_budget_may_be_exceeded_for_a_reason_which_is_kept(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSORT_BUDGET", "1.5")
    with pytest.raises(BadInput, match="--reason"), _training(trained, Waiver(over_budget=True)):
        pytest.fail("this work was not to be done")
    told = Told()
    with _training(trained, Waiver(over_budget=True, reason="jazz is broken"), told=told):
        pass
    (kept,) = expenses(trained)
    assert (kept.reason, kept.details["over_budget"]) == ("jazz is broken", True)
    assert "over the budget" in told.lines[0]


@pytest.mark.usefixtures("priced")
def test_from_four_fifths_on_there_is_a_warning(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    with _training(trained, told=told):
        pass
    assert told.lines == []
    (kept,) = expenses(trained)
    assert kept.dollars is not None
    monkeypatch.setenv("AUTOSORT_BUDGET", str((kept.dollars + kept.estimate) * 1.2))
    with _training(trained, told=told):
        pass
    assert "are spent, and this would cost" in told.lines[0]


@pytest.mark.usefixtures("priced")
def test_work_that_was_killed_keeps_its_place_at_its_estimate(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = training_bill(trained, BUNDLED, Told(), NO_WAIVER, reembed=True)
    killed.__enter__()  # and nobody ever comes back to it
    (begun,) = expenses(trained)
    monkeypatch.setenv("AUTOSORT_BUDGET", str(begun.estimate * 1.5))
    with pytest.raises(OverBudget), _training(trained):
        pytest.fail("this work was not to be done")
    killed.__exit__(None, None, None)
    with _training(trained):
        pass


def test_where_nothing_waits_to_be_embedded_nothing_is_asked_or_written_down(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    monkeypatch.setenv("AUTOSORT_BUDGET", "0")
    for name in ("v2", None):
        with reembedding_bill(trained, name, Told(), NO_WAIVER) as bill:
            bill.spend("embed", 1.0)
    assert expenses(trained) == []


@pytest.mark.usefixtures("priced")
def test_songs_that_wait_are_priced_for_every_version_that_lacks_them(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) SELECT 'new-' || n, 'New' FROM generate_series(1, 50) n")
    with reembedding_bill(trained, "v2", Told(), NO_WAIVER):
        pass
    with reembedding_bill(trained, None, Told(), NO_WAIVER):
        pass
    both, one = expenses(trained)
    assert (one.work.value, one.version, one.details["songs"]) == ("reembedding", "v2", 50)
    assert (both.version, both.details["songs"]) == (None, 100)
    assert both.estimate - one.estimate == pytest.approx(0.1 * 50 / 100)


def test_before_the_first_version_every_song_waits(workspace: Workspace) -> None:
    with workspace.database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s', 'Song')")
    with reembedding_bill(workspace, None, Told(), NO_WAIVER):
        pass
    (kept,) = expenses(workspace)
    assert kept.details["songs"] == 1


def test_a_version_that_does_not_exist(trained: Workspace) -> None:
    with pytest.raises(NotFound, match="v9"), reembedding_bill(trained, "v9", Told(), NO_WAIVER):
        pytest.fail("this work was not to be done")


def test_who_follows_the_catalogue_has_a_bill_for_what_is_sent_far_away_alone(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "WORTH_SENDING", 20)
    wait = "INSERT INTO songs (song_id, title) SELECT %s || n, 'New' FROM generate_series(1, 15) n"
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    for prefix in ("few-", "many-"):
        with trained.database.transaction() as connection:
            connection.execute(wait, [prefix])
        with following_bill(trained, "v2", Told()) as bill:
            bill.spend("embed", 2.0)
    (paid,) = expenses(trained)
    assert (paid.version, paid.seconds, paid.details["songs"]) == ("v2", 2.0, 30)
    monkeypatch.setenv("AUTOSORT_COMPUTE", "local")
    with following_bill(trained, "v2", Told()):
        pass
    assert len(expenses(trained)) == 1
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    monkeypatch.setenv("AUTOSORT_BUDGET", "0")
    with pytest.raises(OverBudget), following_bill(trained, "v2", Told()):
        pytest.fail("this work was not to be done")


def test_on_modal_containers_are_paid_for_by_function_and_time_here_is_not(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    with _training(trained):  # nothing ran there
        pass
    with training_bill(trained, BUNDLED, Told(), NO_WAIVER, reembed=True) as bill:
        for function, seconds in (("train", 100.0), ("embed", 15.0), ("embed", 5.0)):
            bill.spend(function, seconds)
    with pytest.raises(ComputeUnavailable), training_bill(trained, BUNDLED, Told(), NO_WAIVER, reembed=True) as bill:
        bill.spend("embed", 7.0)
        raise ComputeUnavailable("Modal is away.", "")
    broken, paid, free = expenses(trained)
    assert broken.details["gpu_seconds"] == {"embed": 7.0}
    assert broken.seconds == 7
    assert (free.seconds, free.dollars) == (0, 0)
    assert free.estimate > 0
    assert paid.details["gpu_seconds"] == {"train": 100.0, "embed": 20.0}
    assert paid.dollars == pytest.approx(120 * (0.000306 + 4 * 0.0000131 + 16 * 0.00000222))
    monkeypatch.setenv("AUTOSORT_BUDGET", "0.01")
    with pytest.raises(OverBudget), _training(trained):
        pytest.fail("this work was not to be done")
