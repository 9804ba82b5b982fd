"""Commands that tell what to do and what it would cost: check, cost."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lifecycle.cli.output import JsonOption, ProfileOption, reporting
from lifecycle.cli.tables import table
from lifecycle.workspace import open_workspace

if TYPE_CHECKING:
    from lifecycle.checking import Checked
    from lifecycle.cost import Estimate
    from lifecycle.planning import Plan
    from registry.spending import Expense

NOT_DUE = 3
"""Exit code of a check that finds nothing to do; 0 is for "due", so that `autosort check && autosort retrain` works."""

_SHOWN_EXPENSES = 10


def check(as_json: JsonOption = False) -> None:
    """Tell whether a retraining is due, and why. Trains nothing. Exit code 0: due, 3: not due."""
    from lifecycle.checking import check_triggers

    with reporting(as_json) as output, open_workspace() as workspace:
        checked = check_triggers(workspace)
        output.show(checked.as_json(), lambda console: _print_check(console, checked))
        if not checked.due:
            raise typer.Exit(NOT_DUE)


def cost(
    profile: ProfileOption = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=100, help="Passes over the pairs.")] = None,
    pairs: Annotated[int | None, typer.Option(min=0, help="Pairs trained on, instead of the catalogue's.")] = None,
    songs: Annotated[int | None, typer.Option(min=0, help="Songs embedded, instead of the catalogue's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a retraining and a re-embedding would cost, and how this month stands to its budget."""
    from lifecycle.planning import plan
    from lifecycle.settings import read_settings
    from training.configuration import profile as configuration

    with reporting(as_json) as output, open_workspace() as workspace:
        name = profile or read_settings().recipe
        chosen = configuration(name) if epochs is None else configuration(name, epochs=epochs)
        planned = plan(workspace, chosen, pairs=pairs, songs=songs)
        output.show(planned.as_json(), lambda console: _print_plan(console, planned))


def quarter(
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do what a quarter asks for: check, retrain, evaluate, re-embed, compare, tell. Promotes nothing by itself.

    Exit code 0: a version waits for its promotion; 3: nothing is due; 1: due, and it came to nothing.
    """
    from lifecycle.quarter import Outcome, run_quarter
    from lifecycle.settings import read_settings
    from training.configuration import profile as configuration

    with reporting(as_json) as output, open_workspace() as workspace:
        chosen = configuration(profile or read_settings().recipe)
        done = run_quarter(workspace, chosen, output.progress)
        output.show(done.as_json(), lambda console: console.print(f"{done.outcome}: {done.why}", highlight=False))
        if done.outcome not in {Outcome.WAITS, Outcome.PROMOTED}:
            raise typer.Exit(NOT_DUE if done.outcome is Outcome.NOT_DUE else 1)


def _print_check(console: Console, checked: "Checked") -> None:
    marks = {True: "[yellow]due[/]", False: "no", None: "unknown"}
    for trigger in checked.triggers:
        console.print(f"{marks[trigger.holds]:<7} [bold]{trigger.name}[/]: {escape(trigger.figure)}.", highlight=False)
        console.print(f"        {escape(trigger.explanation)}", highlight=False)
    if checked.facts.candidate:
        waits = f"{checked.facts.candidate} waits for its promotion."
        console.print(f"{waits} See `autosort evaluate {checked.facts.candidate}` before training another.")
    console.print("A retraining is due: `autosort retrain`." if checked.due else "No retraining is due.")


def _print_plan(console: Console, planned: "Plan") -> None:
    chosen = planned.configuration
    for estimate in planned.training:
        _print_estimate(console, f"Training ({chosen.profile}) on {estimate.machine}", estimate)
    for estimate in planned.reembedding:
        _print_estimate(console, f"Re-embedding ({chosen.profile}) on {estimate.machine}", estimate)
    budget = planned.settings.budget
    console.print(
        f"This month: ${planned.spent:.2f} of ${budget:.2f} spent, ${max(budget - planned.spent, 0):.2f} left.",
        highlight=False,
    )
    if planned.expenses:
        columns = ("at", "actor", "work", "version", "seconds", "dollars", "reason")
        rows = [_expense(each) for each in planned.expenses[:_SHOWN_EXPENSES]]
        more = f", the last {_SHOWN_EXPENSES}" if len(planned.expenses) > _SHOWN_EXPENSES else ""
        console.print(table(f"Spent{more}", columns, rows))


def _print_estimate(console: Console, title: str, estimate: "Estimate") -> None:
    rows = [
        (line.what, line.calculation, f"{line.value:,.{_decimals(line.unit)}f} {line.unit}") for line in estimate.lines
    ]
    console.print(table(title, ["", "arithmetic", "result"], rows))
    console.print(f"Throughput {estimate.basis}: {escape(estimate.source)}.\n", highlight=False)


def _decimals(unit: str) -> int:
    return {"$": 4, "h": 3, "s": 1, "pairs/s": 1, "songs/s": 1}.get(unit, 0)


def _expense(expense: "Expense") -> tuple[object, ...]:
    at = f"{expense.at:%Y-%m-%d %H:%M}"
    seconds = "not finished" if expense.seconds is None else f"{expense.seconds:.0f}"
    return at, expense.actor, expense.work.value, expense.version, seconds, f"{expense.counted:.4f}", expense.reason
