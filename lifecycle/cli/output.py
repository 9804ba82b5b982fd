"""What commands print: for people, tables and progress bars; with --json, one document on stdout and nothing else."""

import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.progress import progress_on
from lifecycle.cli.tables import decision_table
from registry.errors import AutosortError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; kept in the audit log.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Training recipe, instead of AUTOSORT_PROFILE.")]
OverBudgetOption = Annotated[
    bool, typer.Option("--over-budget", help="Go on although it exceeds the month's budget; needs --reason.")
]
ExpenseReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; kept with what was spent.")]

INTERRUPTED, TERMINATED = 130, 143
_PIPE_WIDTH = 120


class Output:
    """Where a command's result and progress go."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.progress = progress_on(Console(stderr=True), as_json=as_json)
        # A pipe has no width of its own; tables in it should not be cut to a terminal's 80 columns.
        self._console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)

    def show(self, document: Any, render: Callable[[Console], None]) -> None:  # noqa: ANN401 - whatever JSON holds
        """Print the result: the document with --json, else what `render` prints."""
        if self._as_json:
            typer.echo(json.dumps(document, ensure_ascii=False, default=str))
        else:
            render(self._console)

    def fail(self, error: AutosortError) -> None:
        """Print an error: on stdout with --json, else on stderr."""
        if self._as_json:
            document = {"error": type(error).__name__, "message": error.fact, "remedy": error.remedy, **error.details}
            typer.echo(json.dumps(document, ensure_ascii=False, default=str))
            return
        console = Console(stderr=True)
        if "decision" in error.details:
            console.print(decision_table(error.details["decision"]), "")
        console.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        console.print(error.fact, markup=False, highlight=False)
        if error.remedy:
            console.print(error.remedy, markup=False, highlight=False)


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end, as a service manager does."""


@contextmanager
def reporting(as_json: bool) -> Iterator[Output]:
    """Give a command its output; turn the toolkit's errors into a message and exit code 1.

    Ctrl-C and SIGTERM alike end it in order: what is claimed is given back, what is begun is undone.
    """
    output = Output(as_json=as_json)
    # A database that is away is told by the command, once, and not by its pool at every attempt.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield output
    except AutosortError as error:
        output.fail(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt as interrupt:
        Console(stderr=True).print("Interrupted. The same command goes on where this one stopped.")
        raise typer.Exit(TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED) from None


def _terminate(*_: object) -> None:
    raise Terminated
