"""Commands that keep versions or give them up: pin, unpin, retire."""

from typing import Annotated

import typer

from lifecycle.cli.output import JsonOption, ReasonOption, reporting
from lifecycle.workspace import open_workspace


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
