"""The command that writes the report of a version."""

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.workspace import open_workspace


def report(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    out: Annotated[Path | None, typer.Option(help="The page's file; report-VERSION.html by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write all that is known of a version to one HTML page: evidence, gate, training, data."""
    from lifecycle.report.document import collect
    from lifecycle.report.page import render

    with reporting(as_json) as output, open_workspace() as workspace:
        document = collect(workspace, version, output.progress)
        target = out or Path(f"report-{version}.html")
        target.write_text(render(document), encoding="utf-8")
        output.show(document, lambda console: console.print(f"{target.absolute()}", soft_wrap=True))
