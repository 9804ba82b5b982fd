"""Commands that make models and vectors: retrain, evaluate, reembed, sync."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, Output, reporting
from lifecycle.cli.tables import evaluation_table, lift_table, table
from lifecycle.workspace import open_workspace


def retrain(
    profile: Annotated[str, typer.Option(help="Training recipe.")] = "bundled",
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, max=100, help="Passes over the pairs.")] = None,
    reembed: Annotated[bool, typer.Option(help="Also embed the catalogue for the new version.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune on the catalogue as it is and register, evaluate and embed the outcome as the next version."""
    from lifecycle.retrain import retrain as run
    from training.configuration import profile as configuration

    with reporting(as_json) as output, open_workspace() as workspace:
        done = run(workspace, configuration(profile, seed=seed, epochs=epochs), output.progress, reembed=reembed)
        name = done.version.version

        def render(console: Console) -> None:
            console.print(lift_table(done.live_evaluation, done.evaluation))
            console.print(_next_step(done))

        document = {
            "version": name,
            "stage": done.version.stage.value,
            "already_registered": done.found,
            "dataset": done.dataset.fingerprint,
            "pairs": done.dataset.counts(),
            "evaluation": done.evaluation,
            "live": done.live,
            "live_evaluation": done.live_evaluation,
        }
        output.show(document, render)


def evaluate(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    on: Annotated[Path | None, typer.Option("--on", help="A labelled file in any import format.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Report how well songs reach the playlists that hold them: on the test split, or on a labelled file."""
    from lifecycle.evaluation import evaluate_version
    from lifecycle.labelled_file import evaluate_file

    with reporting(as_json) as output, open_workspace() as workspace:
        report = (
            evaluate_file(workspace, version, on, output.progress)
            if on
            else evaluate_version(workspace, version, output.progress)
        )
        output.show(report, lambda console: console.print(evaluation_table(report)))


def reembed(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    as_json: JsonOption = False,
) -> None:
    """Embed for one version whatever it lacks. Interrupted, the same command goes on where it stopped."""
    from lifecycle.reconcile import reconcile

    with reporting(as_json) as output, open_workspace() as workspace:
        _show_reconciled(output, [asdict(reconcile(workspace, version, output.progress))], single=True)


def sync(as_json: JsonOption = False) -> None:
    """Bring every version that could serve up to the catalogue; the base model is registered if there is none."""
    from lifecycle.base_version import ensure_base_version
    from lifecycle.reconcile import reconcile_all

    with reporting(as_json) as output, open_workspace() as workspace:
        ensure_base_version(workspace, output.progress)
        done = reconcile_all(workspace, output.progress)
        _show_reconciled(output, [asdict(each) for each in done], single=False)


def _show_reconciled(output: Output, done: list[dict[str, Any]], *, single: bool) -> None:
    columns = ["version", "embedded", "profiles", "deleted", "quarantined"]
    rows = [[each[name] for name in columns] for each in done]
    output.show(done[0] if single else done, lambda console: console.print(table("Brought up to date", columns, rows)))


def _next_step(done: Any) -> str:  # noqa: ANN401
    name = done.version.version
    if done.found:
        return f"{name} was trained from exactly this before ({done.version.stage}); nothing was trained again."
    return f"{name} is {done.version.stage}. Next: `autosort promote {name}`."
