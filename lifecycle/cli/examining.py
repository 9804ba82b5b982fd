"""The command that looks at everything the others stand on: doctor."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lifecycle.cli.output import JsonOption, reporting

if TYPE_CHECKING:
    from lifecycle.doctor.check import Check

_STYLES = {"good": "green", "bad": "bold red", "unused": "dim"}


def doctor(as_json: JsonOption = False) -> None:
    """Look at settings, database, models, accounts and this machine, and tell what to do. Changes nothing."""
    with reporting(as_json) as output:
        from lifecycle.doctor.examination import examine, is_good

        checks = examine()
        document = {"good": is_good(checks), "checks": [each.as_json() for each in checks]}
        output.show(document, lambda console: print_checks(console, checks))
        if not document["good"]:
            raise typer.Exit(1)


def print_checks(console: Console, checks: Sequence["Check"]) -> None:
    """A line for each check, what to do about it beneath, and how many are bad."""
    made = Table.grid(padding=(0, 2))
    for each in checks:
        style = _STYLES[each.state]
        remedy = f"\n→ {escape(each.remedy)}" if each.remedy else ""
        made.add_row(f"[{style}]{each.state}[/]", each.name, f"{escape(each.fact)}{remedy}")
    console.print(made, "")
    names = [each.name for each in checks if each.state == "bad"]
    said = f"{len(names)} of {len(checks)} are bad: {', '.join(names)}." if names else "Nothing is bad."
    console.print(said, style=_STYLES["bad" if names else "good"], highlight=False)
