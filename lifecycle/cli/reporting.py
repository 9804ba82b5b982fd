"""The command that writes a version's report: one HTML file, or the same as JSON."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.workspace import open_workspace
from registry.errors import BadInput


def report(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write the page; by default report-VERSION.html here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version's report: verdict, lift, golden cases, curves, data, recipe. One HTML file that needs no network.

    With --json it prints the same as JSON, and writes the page only where --out names it.
    """
    from lifecycle.report.document import collect
    from lifecycle.report.page import render

    with reporting(as_json) as output, open_workspace() as workspace:
        document = collect(workspace, version, output.progress)
        path = out or (None if as_json else Path(f"report-{document['version']}.html"))
        if path is not None:
            _write(path, render(document))
        output.show(document, lambda console: console.print(f"Wrote {escape(str(path))}.", soft_wrap=True))


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.", "Name another file with --out.") from None
