"""Commands that move versions: promote, rollback, retire; and pin and unpin, which keep them."""

from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, ReasonOption, reporting
from lifecycle.cli.started import STARTED
from lifecycle.cli.tables import decision_table
from lifecycle.promotion import Moved
from lifecycle.workspace import open_workspace


def promote(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    force: Annotated[bool, typer.Option("--force", help="Go live against the evaluation; needs --reason.")] = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version live, if the gate allows it. Servers follow by themselves."""
    from lifecycle import promotion

    with reporting(as_json) as output, open_workspace() as workspace:
        moved = promotion.promote(workspace, version, output.progress, force=force, reason=reason, asked=STARTED)
        output.show(_document(moved), lambda console: _print_moved(console, moved))


def rollback(
    version: Annotated[str | None, typer.Argument(help="By default the version before this one.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Move at once; songs it lacks follow at the next sync.")] = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version that was live before live again."""
    from lifecycle import promotion

    with reporting(as_json) as output, open_workspace() as workspace:
        moved = promotion.roll_back(workspace, output.progress, version, now=now, reason=reason, asked=STARTED)
        output.show(_document(moved), lambda console: _print_moved(console, moved))


def retire(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a version up for good and free its disk; the record of it stays."""
    from lifecycle import retiring

    with reporting(as_json) as output, open_workspace() as workspace:
        stage = retiring.retire(workspace, version, reason=reason)
        said = f"{version} is {stage}; its disk is free, its record stays."
        output.show({"version": version, "stage": stage.value}, lambda console: console.print(said))


def pin(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; told to whoever means to retire it.")],
    as_json: JsonOption = False,
) -> None:
    """Keep a version from being retired."""
    from lifecycle import retiring

    with reporting(as_json) as output, open_workspace() as workspace:
        retiring.pin(workspace, version, reason=reason)
        said = f"{version} is pinned: `autosort retire` refuses it until `autosort unpin {version}`."
        output.show({"version": version, "pinned": reason}, lambda console: console.print(said))


def unpin(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a pinned version be retired again."""
    from lifecycle import retiring

    with reporting(as_json) as output, open_workspace() as workspace:
        changed = retiring.unpin(workspace, version, reason=reason)
        said = f"{version} is no longer pinned." if changed else f"{version} is not pinned; nothing to do."
        document = {"version": version, "pinned": None, "changed": changed}
        output.show(document, lambda console: console.print(said))


def _document(moved: Moved) -> dict[str, Any]:
    present = moved.pointer
    return {
        "moved": moved.moved,
        "generation": present.generation,
        "live": present.live,
        "previous": present.previous,
        "decision": moved.decision.as_json() if moved.decision else None,
    }


def _print_moved(console: Console, moved: Moved) -> None:
    if moved.decision:
        console.print(decision_table(moved.decision.as_json()))
    present = moved.pointer
    if moved.moved:
        console.print(f"[bold]{present.live}[/] is live (generation {present.generation}); before: {present.previous}.")
    else:
        console.print(f"{present.live} is live already (generation {present.generation}); nothing to do.")
