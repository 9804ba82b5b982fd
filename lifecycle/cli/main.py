"""`autosort`: the command line. Commands parse, call and print; what they do is done elsewhere."""

import lifecycle.cli.started  # noqa: F401, I001 - first, so that it is early

import os

import typer

from lifecycle.cli import (
    comparing,
    examining,
    feeling,
    keeping,
    keys,
    library,
    models,
    moves,
    planning,
    publishing,
    reporting,
    searching,
    service,
)

# Libraries draw bars of their own into ours, or onto stdout, unless they are told not to before they are imported.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

app = typer.Typer(
    name="autosort",
    help="Train, register, re-embed, promote, serve and roll back Auto-Sort's models.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.command()(service.demo)
app.command("import")(library.import_files)
app.command()(planning.check)
app.command()(planning.cost)
app.command()(planning.quarter)
app.command()(models.retrain)
app.command()(models.evaluate)
app.command()(reporting.report)
app.command()(publishing.publish)
app.command()(models.reembed)
app.command()(models.sync)
app.add_typer(comparing.app, name="compare")
app.command()(moves.promote)
app.command()(moves.rollback)
app.command()(moves.bake)
app.command()(keeping.retire)
app.command()(keeping.pin)
app.command()(keeping.unpin)
app.command()(library.match)
app.command()(searching.search)
app.command()(library.status)
app.command()(library.history)
app.command()(service.serve)
app.add_typer(keys.app, name="keys")
app.command()(service.openapi)
app.command()(feeling.emotions)
app.command("train-emotions")(feeling.train_emotions)
app.command()(library.migrate)
app.command()(examining.doctor)


def run() -> None:
    """Entry point of the `autosort` script."""
    app()
