"""Commands that move the live pointer: promote, rollback; and bake, which watches what came of it."""

import threading
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, Output, ReasonOption, reporting
from lifecycle.cli.started import STARTED
from lifecycle.cli.tables import decision_table, table
from lifecycle.moved import Moved
from lifecycle.workspace import Workspace, open_workspace
from registry.errors import Refused

WaitOption = Annotated[bool, typer.Option("--wait", help="Return when every server answers with it.")]


def promote(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    force: Annotated[bool, typer.Option("--force", help="Go live against the evidence; needs --reason.")] = False,
    wait: WaitOption = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version live, if the gate allows it. Servers load it before, and follow by themselves."""
    from lifecycle import promotion

    with reporting(as_json) as output, open_workspace() as workspace:
        moved = promotion.promote(workspace, version, output.progress, force=force, reason=reason, asked=STARTED)
        _show_moved(output, _followed(workspace, moved) if wait else moved)


def rollback(
    version: Annotated[str | None, typer.Argument(help="By default the version before this one.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Move at once; songs it lacks follow at the next sync.")] = False,
    drill: Annotated[bool, typer.Option("--drill", help="Find out whether it would work, and move nothing.")] = False,
    wait: WaitOption = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version that was live before live again."""
    from lifecycle import rollback as moving

    with reporting(as_json) as output, open_workspace() as workspace:
        if drill:
            _drill(workspace, output, version)
            return
        moved = moving.roll_back(workspace, output.progress, version, now=now, reason=reason, asked=STARTED)
        _show_moved(output, _followed(workspace, moved) if wait else moved)


def bake(
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and look every few seconds until interrupted.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare what the last promotion serves with what was served before; roll back by itself if so configured."""
    from lifecycle import bake as baking
    from lifecycle.settings import read_settings

    with reporting(as_json) as output, open_workspace() as workspace:
        settings = read_settings()
        if not watch:
            show_bake(output, baking.look(workspace, settings, output.progress))
            return
        for found in baking.watch(workspace, settings, output.progress, threading.Event()):
            show_bake(output, found)


def show_bake(output: Output, bake: Any) -> None:  # noqa: ANN401
    """Print what a look at a bake found."""

    def render(console: Console) -> None:
        if not bake.checks:
            console.print(f"{bake.version or 'Nothing'} is live; no promotion is under watch.")
            return
        rows = [("breach" if each.breached else "fine", each.name, each.figure) for each in bake.checks]
        title = f"{bake.version} after {bake.before}, under watch until {bake.until:%Y-%m-%d %H:%M:%S}"
        console.print(table(title, ["", "", "figure"], rows))
        if bake.rolled_back:
            console.print(f"[bold]{bake.before}[/] is live again.")

    output.show(bake.as_json(), render)


def _drill(workspace: Workspace, output: Output, version: str | None) -> None:
    from lifecycle.drill import drill

    found = drill(workspace, version)

    def render(console: Console) -> None:
        rows = [(step, f"{seconds * 1e3:.0f} ms") for step, seconds in found.seconds.items()]
        console.print(table(f"Rollback from {found.live} to {found.target}, undone", ["step", "took"], rows))
        lacking = found.coverage.missing + found.coverage.stale
        console.print(
            f"{lacking} songs and {found.coverage.playlists} playlists would have to catch up first"
            + (f", about {found.catch_up_seconds:.0f} s and the loading of the model." if lacking else ".")
        )
        held = found.servers - len(found.cold)
        console.print(f"{held} of {found.servers} servers hold {found.target} ready.")
        for server, problem in found.cold.items():
            console.print(f"  {server} does not: {problem or 'not loaded'}", markup=False, highlight=False)
        console.print("[green]It would work at once.[/]" if found.ready else "[yellow]It would not be instant.[/]")

    output.show(found.as_json(), render)


def _followed(workspace: Workspace, moved: Moved) -> Moved:
    """The move with how the servers followed.

    Raises:
        Refused: some have not after a minute; the move stands.
    """
    from lifecycle.following import LONGEST_MOVE, wait_for_servers

    if not moved.moved:
        return moved
    followed = wait_for_servers(workspace.database, moved.pointer, moved.committed_at)
    if followed.stragglers:
        told = "; ".join(f"{name}: {problem or 'no reason given'}" for name, problem in followed.stragglers.items())
        raise Refused(
            f"{moved.pointer.live} is live, but {len(followed.stragglers)} servers do not answer with it after "
            f"{LONGEST_MOVE:.0f} s: {told}.",
            "They answer with the version before. See their logs; a restart takes the live version up.",
            details=_document(replace(moved, followed=followed)),
        )
    return replace(moved, followed=followed)


def _show_moved(output: Output, moved: Moved) -> None:
    output.show(_document(moved), lambda console: _print_moved(console, moved))


def _document(moved: Moved) -> dict[str, Any]:
    present = moved.pointer
    return {
        "moved": moved.moved,
        "generation": present.generation,
        "live": present.live,
        "previous": present.previous,
        "locked_ms": round(moved.locked_seconds * 1e3, 2),
        "decision": moved.decision.as_json() if moved.decision else None,
        "servers": asdict(moved.followed) if moved.followed else None,
    }


def _print_moved(console: Console, moved: Moved) -> None:
    if moved.decision:
        console.print(decision_table(moved.decision.as_json()))
    present = moved.pointer
    if not moved.moved:
        console.print(f"{present.live} is live already (generation {present.generation}); nothing to do.")
        return
    console.print(f"[bold]{present.live}[/] is live (generation {present.generation}); before: {present.previous}.")
    if moved.followed:
        slowest = max(moved.followed.seconds.values(), default=0.0)
        console.print(f"All of {len(moved.followed.seconds)} servers answer with it, after {slowest:.2f} s.")
