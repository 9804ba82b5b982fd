"""`autosort compare`: the live version and a candidate side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from lifecycle.cli.output import JsonOption, Output, reporting
from lifecycle.cli.tables import table
from lifecycle.workspace import open_workspace


class _ShowByDefault(TyperGroup):
    """`compare v2` means `compare show v2`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer keeps its click to itself
        """Take what is no command for the first argument of `show`."""
        named = args and args[0] in self.commands
        return super().resolve_command(ctx, args if named else ["show", *args])


app = typer.Typer(cls=_ShowByDefault, no_args_is_help=True, help="Compare a version with the live one, side by side.")


@app.command()
def start(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    sample: Annotated[float, typer.Option(min=0, max=1, help="Share of the requests that both answer.")] = 0.2,
    canary: Annotated[float, typer.Option(min=0, max=1, help="Share of the users it answers for real.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Have servers answer a sample of the live requests by VERSION too, off the requests' path."""
    from lifecycle.parallel import running

    with reporting(as_json) as output, open_workspace() as workspace:
        run = running.start(workspace, version, sample=sample, canary=canary)
        document = {"candidate": run.candidate, "live": run.live, "sample": run.sample, "canary": run.canary}
        said = f"{run.candidate} answers beside {run.live}; see `autosort compare {version}`."
        output.show(document, lambda console: console.print(said, highlight=False))


@app.command()
def stop(as_json: JsonOption = False) -> None:
    """End the parallel run that is on; what it found stays."""
    from lifecycle.parallel import running

    with reporting(as_json) as output, open_workspace() as workspace:
        run = running.stop(workspace)
        document = {"candidate": run.candidate, "live": run.live}
        output.show(document, lambda console: console.print(f"{run.candidate} answers beside {run.live} no more."))


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    against: Annotated[str | None, typer.Argument(help="By default the version it was last compared with.")] = None,
    replay: Annotated[Path | None, typer.Option("--replay", help="Compare on the songs of a file now.")] = None,
    replay_recent: Annotated[
        int | None, typer.Option("--replay-recent", min=2, help="Compare on so many of the latest songs now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what VERSION answered beside another one; `compare VERSION` is short for it."""
    from lifecycle.parallel import replay as replaying
    from lifecycle.parallel import running

    with reporting(as_json) as output, open_workspace() as workspace:
        if replay is not None:
            replaying.replay_file(workspace, version, replay, output.progress, against)
        if replay_recent is not None:
            replaying.replay_recent(workspace, version, replay_recent, output.progress, against)
        found = running.found(workspace, version, against)
        document = {kind.value: each.as_json() for kind, each in found.items()}
        _show(output, document)


def _show(output: Output, document: dict[str, Any]) -> None:
    def render(console: Console) -> None:
        for kind, found in document.items():
            _print_findings(console, kind, found)

    output.show(document, render)


def _print_findings(console: Console, kind: str, found: dict[str, Any]) -> None:
    run, requests = found["run"], found["requests"]
    state = "ended" if run["ended_at"] else "on"
    what = "live requests" if kind == "live" else "songs, replayed"
    console.print(f"[bold]{run['candidate']}[/] beside {run['live']} on {what} ({state})")
    dropped = f", {requests['dropped']} dropped under load" if requests["dropped"] else ""
    console.print(
        f"{requests['compared']} compared of {requests['sampled']} sampled of {requests['seen']} seen{dropped}"
    )
    if not found["sampling"]["sound"]:
        console.print("[red]Sample ratio mismatch: something keeps requests out of the sample.[/]")
    console.print(table("Alike", ["", "songs", "overlap@5", "RBO", "another first"], _likeness_rows(found)))
    if found["seconds"]:
        console.print(table("Time", ["", "p50 ms", "p99 ms", "ratio"], _time_rows(found)))
    failures = found["failures"]
    console.print(f"failed: {failures['live']} by {run['live']}, {failures['candidate']} by {run['candidate']}")
    for name in ("agreement", "interleaving"):
        console.print(_preference(name, found[name], run["candidate"]))
    if found["canary"]:
        _print_canary(console, found["canary"])


def _likeness_rows(found: dict[str, Any]) -> list[tuple[object, ...]]:
    groups = {"all": found["likeness"]} if found["likeness"] else {}
    groups |= {f"genre: {name}": each for name, each in found["genres"].items()}
    groups |= {f"type: {name}": each for name, each in found["playlist_types"].items()}
    names = ("overlap", "rank_biased_overlap", "first_changed")
    return [(name, each["n"], *(_bounded(each, figure) for figure in names)) for name, each in groups.items()]


def _bounded(figures: dict[str, Any], name: str) -> str:
    bounds = figures[f"{name}_bounds"]
    return f"{figures[name]:.3f} [{bounds['low']:.3f}, {bounds['high']:.3f}]"


def _time_rows(found: dict[str, Any]) -> list[tuple[object, ...]]:
    seconds, run = found["seconds"], found["run"]
    bounds = seconds["ratio_bounds"]
    ratio = f"{seconds['ratio']:.2f} [{bounds['low'] or 0:.2f}, {bounds['high'] or float('inf'):.2f}]"
    rows = [(run["live"], seconds["live"], ""), (run["candidate"], seconds["candidate"], ratio)]
    return [(name, f"{times[0] * 1e3:.1f}", f"{times[1] * 1e3:.1f}", told) for name, times, told in rows]


def _preference(name: str, found: dict[str, Any], candidate: str) -> str:
    duels = found["duels"]
    decided = duels["won"] + duels["lost"]
    if not decided:
        return f"{name}: no feedback on what was compared"
    bounds = found["bounds"]
    return (
        f"{name}: {duels['won']} of {decided} for {candidate} "
        f"({found['share']:.2f}, from {bounds['low']:.2f} to {bounds['high']:.2f}, p = {found['p']:.4f})"
    )


def _print_canary(console: Console, canary: dict[str, Any]) -> None:
    users = canary["users"]
    console.print(f"canary: {users['chosen']} of {users['seen']} users (share {users['configured']})")
    if not users["sound"]:
        console.print("[red]Sample ratio mismatch: the canary's users are not the share that they should be.[/]")
    names = ("requests", "failed", "rejected", "judgements")
    rows = [(arm, *(canary[arm][name] for name in names)) for arm in ("candidate", "live")]
    console.print(table("Answered for real", ["by", *names], rows))
