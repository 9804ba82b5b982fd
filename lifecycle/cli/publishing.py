"""The command that puts a version on the Hugging Face Hub."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.workspace import open_workspace

if TYPE_CHECKING:
    from lifecycle.publishing import Published


def publish(
    version: Annotated[str, typer.Argument(help="Such as v2.")],
    repo: Annotated[str, typer.Option("--repo", help="OWNER/NAME on the Hugging Face Hub; made if it is not there.")],
    public: Annotated[bool, typer.Option("--public/--private", help="Whether everybody may read it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a version on the Hugging Face Hub: its model, and a card of its data, recipe, results and limits."""
    from lifecycle import publishing
    from lifecycle.hub.repository import Repository

    with reporting(as_json) as output, open_workspace() as workspace:
        done = publishing.publish(workspace, version, Repository(repo), output.progress, public=public)
        output.show(done.as_json(), lambda console: _print_published(console, done))


def _print_published(console: Console, done: "Published") -> None:
    seen = "private" if done.private else "public"
    said = f"{done.version} is at {done.url} ({seen}), tag {done.tag}: {len(done.files)} files, commit {done.commit}."
    console.print(said if done.changed else f"{said} All of it was there before.", highlight=False, soft_wrap=True)
