"""Commands that make models and vectors: retrain, evaluate, reembed, sync."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.output import ExpenseReasonOption, JsonOption, Output, OverBudgetOption, ProfileOption, reporting
from lifecycle.cli.tables import evaluation_table, lift_table, print_golden, table
from lifecycle.reconcile.work import Reconciled
from lifecycle.workspace import open_workspace


def retrain(
    *,
    profile: ProfileOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, max=100, help="Passes over the pairs.")] = None,
    reembed: Annotated[bool, typer.Option(help="Also embed the catalogue for the new version.")] = True,
    processes: Annotated[int, typer.Option(min=1, help="That share the training, such as one for each GPU.")] = 1,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Another value of the recipe, as name=value; may be repeated.")
    ] = None,
    over_budget: OverBudgetOption = False,
    reason: ExpenseReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune on the catalogue as it is and register, evaluate and embed the outcome as the next version."""
    from lifecycle.budget import Waiver, training_bill
    from lifecycle.retrain import retrain as run
    from lifecycle.settings import read_settings
    from training.configuration import parse_changes
    from training.configuration import profile as configuration

    with reporting(as_json) as output, open_workspace() as workspace:
        given = {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}
        chosen = configuration(profile or read_settings().recipe, **given | parse_changes(changes or []))
        with training_bill(workspace, chosen, output.progress, Waiver(over_budget, reason), reembed=reembed) as bill:
            done = run(workspace, chosen, output.progress, reembed=reembed, processes=processes, spend=bill.spend)
            bill.version = done.version.version
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
    """Report how well songs reach the playlists that hold them: on the test split, or on a labelled file.

    On the test split also the golden cases, if there are any.
    """
    from lifecycle.evaluation import evaluate_version
    from lifecycle.golden.report import golden_reports
    from lifecycle.labelled_file import evaluate_file

    with reporting(as_json) as output, open_workspace() as workspace:
        if on:
            report = evaluate_file(workspace, version, on, output.progress)
        else:
            golden = golden_reports(workspace, version, output.progress)
            report = {**evaluate_version(workspace, version, output.progress), **golden}

        def render(console: Console) -> None:
            console.print(evaluation_table(report))
            if report.get("golden"):
                print_golden(console, report)

        output.show(report, render)


def reembed(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    over_budget: OverBudgetOption = False,
    reason: ExpenseReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed for one version whatever it lacks. Interrupted, the same command goes on where it stopped."""
    from lifecycle.budget import Waiver, reembedding_bill
    from lifecycle.reconcile.operation import reconcile

    with reporting(as_json) as output, open_workspace() as workspace:
        with reembedding_bill(workspace, version, output.progress, Waiver(over_budget, reason)) as bill:
            done = reconcile(workspace, version, output.progress, spend=bill.spend)
        _show_reconciled(output, [done], single=True)


def sync(
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and follow every change until interrupted.")] = False,
    over_budget: OverBudgetOption = False,
    reason: ExpenseReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring every version that could serve up to the catalogue; the base model is registered if there is none."""
    from lifecycle.bake import watched
    from lifecycle.base_version import ensure_base_version
    from lifecycle.budget import Waiver, reembedding_bill
    from lifecycle.compute.retrying import retry_due
    from lifecycle.compute.shipping import ship
    from lifecycle.reconcile.operation import reconcile_all
    from lifecycle.reconcile.watch import watch as follow
    from lifecycle.settings import read_settings

    with reporting(as_json) as output, open_workspace() as workspace:
        with reembedding_bill(workspace, None, output.progress, Waiver(over_budget, reason)) as bill:
            ensure_base_version(workspace, output.progress, spend=bill.spend)
            done = reconcile_all(workspace, output.progress, spend=bill.spend)
        retry_due(workspace, output.progress)
        ship(workspace, output.progress)
        _show_reconciled(output, done)
        if watch:
            output.progress.say("Following the catalogue; Ctrl-C ends it.")
            with watched(workspace, read_settings(), output.progress):
                follow(workspace, output.progress, lambda done: _show_reconciled(output, _changed(done)))


def _changed(done: list[Reconciled]) -> list[Reconciled]:
    return [each for each in done if each.did_anything]


def _show_reconciled(output: Output, done: list[Reconciled], *, single: bool = False) -> None:
    columns = ["version", "embedded", "profiles", "deleted", "quarantined"]
    documents = [asdict(each) for each in done]
    rows = [[each[name] for name in columns] for each in documents]
    if done:
        output.show(
            documents[0] if single else documents,
            lambda console: console.print(table("Brought up to date", columns, rows)),
        )


def _next_step(done: Any) -> str:  # noqa: ANN401
    name = done.version.version
    if done.found:
        return f"{name} was trained from exactly this before ({done.version.stage}); nothing was trained again."
    return f"{name} is {done.version.stage}. Next: `autosort promote {name}`."
