"""The commands that stay: serve, and the demo."""

import logging
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
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
        from serving.app import create_app

        settings = RegistrySettings()
        # Opened here too, so that a database that is down is told plainly and before the server starts.
        with open_database(settings):
            logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
            address = f"http://{host}:{port}"
            output.show({"serving": address}, lambda console: console.print(f"Serving on {address}; Ctrl-C ends it."))
            uvicorn.run(create_app(settings), host=host, port=port, log_level="warning")


def demo(as_json: JsonOption = False) -> None:
    """Run the whole cycle on the sample library: import, retrain, re-embed, promote, match, roll back."""
    from lifecycle.demo import demonstrate
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        done = demonstrate(workspace, output.progress)
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
    console.print("", decision_table(done.decision), "")
    for document in done.matches:
        console.print(Rule(f"matched by {document['model_version']}", align="left"))
        print_matches(console, document)
    console.print(lift_table(done.retrained.live_evaluation, done.retrained.evaluation), "")
    new, base = done.retrained.version.version, done.rolled_back.pointer.live
    console.print(
        f"[bold]{base}[/] is live again; {new} is retained. What to type next (after `export AUTOSORT_HOME={home}`):"
    )
    for command, does in (
        ("autosort status", "versions, coverage, the live pointer"),
        (f"autosort promote {new}", "make the new version live again"),
        ("autosort serve", "the HTTP service; try /docs"),
        ("autosort import FILE", "your own library (in a home of its own)"),
    ):
        console.print(f"  {command:24} {does}", highlight=False)
