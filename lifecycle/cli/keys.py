"""`autosort keys`: who may use the HTTP service, and for what."""

from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.cli.tables import table
from lifecycle.workspace import open_workspace
from registry import api_keys
from registry.api_keys import ApiKey, Role
from registry.database import actor

app = typer.Typer(no_args_is_help=True, help="Keys of the HTTP service: add, list, revoke.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose it is, such as app-2026; logs name it.")],
    role: Annotated[Role, typer.Option("--role", help="What it may do.")],
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, once: only its digest is kept."""
    with reporting(as_json) as output, open_workspace() as workspace:
        with workspace.database.transaction() as connection:
            made, key = api_keys.add(connection, name, role, actor=actor())
        output.show({**_document(made), "key": key}, lambda console: _print_added(console, made, key))


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """Show all keys, the revoked ones too."""
    with reporting(as_json) as output, open_workspace() as workspace:
        with workspace.database.transaction() as connection:
            known = api_keys.list_all(connection)
        document = {"keys": [_document(each) for each in known]}
        rows = [
            (each.name, each.role.value, f"{each.created_at:%Y-%m-%d %H:%M}", each.created_by, _revoked(each))
            for each in known
        ]
        shown = table("Keys of the HTTP service", ["key", "role", "made", "by", "revoked"], rows)
        output.show(document, lambda console: console.print(shown))


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="As `autosort keys list` names it.")], as_json: JsonOption = False
) -> None:
    """Have a key refused: every server does so within a second."""
    with reporting(as_json) as output, open_workspace() as workspace:
        with workspace.database.transaction() as connection:
            changed = api_keys.revoke(connection, name, actor=actor())
        said = f"{name} is revoked." if changed else f"{name} was revoked before; nothing to do."
        output.show({"name": name, "revoked": True, "changed": changed}, lambda console: console.print(said))


def _document(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "role": key.role.value,
        "created_at": key.created_at.isoformat(),
        "created_by": key.created_by,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "revoked_by": key.revoked_by,
    }


def _print_added(console: Console, made: ApiKey, key: str) -> None:
    console.print(f"{made.name} may {made.role}. Its key, which is shown this once:", highlight=False)
    console.print(key, highlight=False, soft_wrap=True)


def _revoked(key: ApiKey) -> str | None:
    return f"{key.revoked_at:%Y-%m-%d %H:%M} by {key.revoked_by}" if key.revoked_at else None
