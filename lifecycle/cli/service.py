"""The commands that stay: serve, and the demo."""

import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.cli.tables import decision_table, lift_table, print_matches


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    as_json: JsonOption = False,
) -> None:
    """Serve /embed, /match, /live, /health and /ready over HTTP, following the live pointer. Ctrl-C ends it."""
    with reporting(as_json) as output:
        import uvicorn

        from registry.database import open_database
        from registry.settings import RegistrySettings
        from serving.http.app import create_app

        settings = RegistrySettings()
        # Opened here too, so that a database that is down is told plainly and before the server starts.
        with open_database(settings):
            logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
            address = f"http://{host}:{port}"
            output.show({"serving": address}, lambda console: console.print(f"Serving on {address}; Ctrl-C ends it."))
            uvicorn.run(create_app(settings), host=host, port=port, log_level="warning")


def openapi(
    out: Annotated[Path | None, typer.Option(help="File to write it to, instead of the standard output.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the OpenAPI document of the service: its endpoints, what they take and what they give."""
    with reporting(as_json) as output:
        from serving.http.app import create_app

        document = create_app().openapi()
        if out is None:
            output.show(document, lambda console: console.print_json(data=document))
            return
        out.write_text(json.dumps(document, indent=2) + "\n")
        output.show({"written": str(out)}, lambda console: console.print(f"Written to {out}."))


def demo(
    songs: Annotated[int, typer.Option(min=40, max=100_000, help="Of the sample library.")] = 720,
    as_json: JsonOption = False,
) -> None:
    """Run the whole cycle on the sample library: import, retrain, re-embed, promote, match, roll back."""
    from lifecycle.demo import demonstrate
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        done = demonstrate(workspace, output.progress, songs=songs)
        document = {
            "version": done.retrained.version.version,
            "evaluation": done.retrained.evaluation,
            "live_evaluation": done.retrained.live_evaluation,
            "decision": done.decision.as_json(),
            "matches": done.matches,
            "live": done.rolled_back.pointer.live,
        }
        output.show(document, lambda console: _print_demo(console, done, str(workspace.settings.home)))


def _print_demo(console: Console, done: Any, home: str) -> None:  # noqa: ANN401
    console.print("", decision_table(done.decision.as_json()), "")
    for document in done.matches:
        console.print(Rule(f"matched by {document['model_version']}", align="left"))
        print_matches(console, document)
    console.print(lift_table(done.retrained.live_evaluation, done.retrained.evaluation), "")
    new, base = done.retrained.version.version, done.rolled_back.pointer.live
    console.print(f"[bold]{base}[/] is live again; {new} is retained. What to type next:")
    typed = escape(_as_typed())
    for command, does in (
        (f"export AUTOSORT_HOME={home}", "this demo's own home; unset it for yours"),
        (f"{typed} status", "versions, coverage, the live pointer"),
        (f"{typed} promote {new}", "make the new version live again"),
        (f"{typed} serve", "the HTTP service; try http://127.0.0.1:8000/docs"),
        (f"{typed} import FILE", "your own library, in a home of its own"),
    ):
        console.print(f"  {command}", highlight=False, soft_wrap=True)
        console.print(f"      [dim]{does}[/]", highlight=False)


def _as_typed() -> str:
    """The command as it can be typed here: it may not be on the path."""
    script = Path(sys.argv[0])
    return script.name if shutil.which(script.name) else os.path.relpath(script)
