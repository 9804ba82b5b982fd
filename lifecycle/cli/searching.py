"""The command that searches one version's vectors."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.cli.tables import table


def search(
    text: Annotated[str | None, typer.Argument(help="What is searched for, in words.")] = None,
    *,
    like: Annotated[
        str | None, typer.Option("--like", help="A song of the catalogue instead: id, title or a part of it.")
    ] = None,
    playlists: Annotated[bool, typer.Option("--playlists", help="Search playlists instead of songs.")] = False,
    version: Annotated[str | None, typer.Option(help="Search this version instead of the live one.")] = None,
    genre: Annotated[str | None, typer.Option(help="Only of this genre.")] = None,
    language: Annotated[str | None, typer.Option(help="Only songs in this language.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only playlists of this owner; with --playlists.")] = None,
    top: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    exact: Annotated[bool, typer.Option("--exact", help="Compare every song instead of asking the index.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the songs or playlists of one version that are nearest to a text or to a song."""
    from lifecycle.searching import Question, search_playlists, search_songs
    from lifecycle.workspace import open_workspace
    from registry.vectors.search import PlaylistFilter, SongFilter

    if (text is None) == (like is None):
        raise typer.BadParameter("say what is searched for, or name a song with --like: one of the two")
    if playlists and language is not None:
        raise typer.BadParameter("playlists have no language; leave --language or --playlists out")
    if owner is not None and not playlists:
        raise typer.BadParameter("songs have no owner; add --playlists or leave --owner out")
    question = Question(text, like)
    with reporting(as_json) as output, open_workspace() as workspace:
        if playlists:
            whose = PlaylistFilter(genre=genre, owner=owner)
            document = search_playlists(workspace, question, where=whose, version=version, top=top)
        else:
            which = SongFilter(genre=genre, language=language)
            document = search_songs(workspace, question, where=which, version=version, top=top, exact=exact)
        output.show(document, lambda console: _print_found(console, document))


def _print_found(console: Console, document: Mapping[str, Any]) -> None:
    results = document["results"]
    if not results:
        console.print("Nothing was found.")
        return
    columns = [name for name in results[0] if name != "cosine"]
    rows = [(*(each[name] for name in columns), f"{each['cosine']:.3f}") for each in results]
    console.print(table(f"Nearest by {document['model_version']}", [*columns, "cosine"], rows))
