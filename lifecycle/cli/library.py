"""Commands on the catalogue: import, match, status, history, migrate."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lifecycle.cli.output import JsonOption, reporting
from lifecycle.cli.tables import print_matches, table

_SHOWN_FAULTS = 20


def import_files(
    files: Annotated[list[Path], typer.Argument(help="JSONL, Spotify playlist CSV or Exportify CSV; detected.")],
    as_json: JsonOption = False,
) -> None:
    """Bring songs, playlists, memberships and feedback into the catalogue. Importing twice changes nothing."""
    from lifecycle.importing import ImportReport, import_file
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        reports: list[ImportReport] = []
        for path in files:
            output.progress.say(f"Importing {path}")
            reports.append(import_file(workspace, path))
        output.show([each.as_json() for each in reports], lambda console: _print_imports(console, reports))


def match(
    songs: Annotated[list[str] | None, typer.Argument(help="Ids, titles, 'artist - title' or parts of one.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file with one song a line.")] = None,
    version: Annotated[str | None, typer.Option(help="Match with this version instead of the live one.")] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Playlists a song.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Find the playlists that songs belong in, with each signal's share of the score."""
    from lifecycle.matching import match_queries
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        queries = [*(songs or []), *_lines(file)]
        if not queries:
            raise typer.BadParameter("name a song, or give --file")
        document = match_queries(workspace, queries, version=version, top_k=top)
        output.show(document, lambda console: print_matches(console, document))


def status(as_json: JsonOption = False) -> None:
    """Show versions, stages, coverage, the live pointer and what is set aside."""
    from lifecycle.status import read_status
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        document = read_status(workspace)
        output.show(document, lambda console: _print_status(console, document))


def history(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries to show.")] = 20, as_json: JsonOption = False
) -> None:
    """Show who did what to which version, when and why."""
    from lifecycle.status import read_history
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        entries = read_history(workspace, limit=limit)
        columns = ("at", "actor", "action", "version", "generation", "reason")
        rows = [_act(entry) for entry in entries]
        output.show(entries, lambda console: console.print(table("Audit log", columns, rows)))


def migrate(as_json: JsonOption = False) -> None:
    """Bring the schema of DATABASE_URL's Postgres up to this build (the embedded one does so by itself)."""
    from registry.database import migrate_database
    from registry.settings import RegistrySettings

    with reporting(as_json) as output:
        applied = migrate_database(RegistrySettings())
        said = f"Applied: {', '.join(applied)}." if applied else "The schema is up to date."
        output.show({"applied": applied}, lambda console: console.print(said))


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    if not file.is_file():
        raise typer.BadParameter(f"{file} is not a file")
    return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _print_imports(console: Console, reports: list[Any]) -> None:
    for report in reports:
        kinds = ("songs", "playlists", "memberships", "feedback")
        rows = [(kind, report.added.get(kind, 0), report.changed.get(kind, 0)) for kind in kinds]
        console.print(table(f"{escape(report.file)} ({report.format})", ["", "added", "changed"], rows))
        if report.removed:
            console.print(f"{report.removed} removed.")
        lines = len({each.line for each in report.unusable})  # a row may name two things that nobody knows
        _print_faults(console, lines, "rows could not be used", report.unusable)
        _print_faults(console, len(report.dropped), "fields were dropped", report.dropped)
    console.print("\nNext: `autosort retrain` learns from it; `autosort sync` brings the versions in use up to it.")


def _print_faults(console: Console, count: int, what: str, faults: list[Any]) -> None:
    if not faults:
        return
    rows = [(each.line, each.field, each.reason) for each in faults[:_SHOWN_FAULTS]]
    more = f"; the first {_SHOWN_FAULTS} (--json lists all)" if len(faults) > _SHOWN_FAULTS else ""
    console.print(table(f"{count} {what}{more}", ["line", "field", "reason"], rows))


def _act(entry: dict[str, Any]) -> tuple[object, ...]:
    moved = f"{entry['from_version']} → {entry['version']}" if entry["from_version"] else entry["version"]
    at = entry["at"][:19].replace("T", " ")
    return at, entry["actor"], entry["action"], moved, entry["generation"], entry["reason"]


def _coverage(coverage: dict[str, int] | None) -> str:
    """What a version lacks, in words."""
    if coverage is None:
        return "given up"
    wrong = [f"{count} {name}" for name, count in coverage.items() if count]
    return ", ".join(wrong) or "complete"


def _print_status(console: Console, document: dict[str, Any]) -> None:
    console.print(
        f"live [bold]{document['live'] or 'nothing'}[/] (generation {document['generation']}), previous "
        f"{document['previous'] or 'none'}, candidate {document['candidate'] or 'none'}"
    )
    counts = ", ".join(f"{count} {kind}" for kind, count in document["catalogue"].items())
    console.print(f"catalogue: {counts}; database {escape(document['database'])}", highlight=False)
    plain = ("base_model", "dimensions", "pinned")
    rows = [
        (each["version"], each["stage"], _coverage(each["coverage"]), *(each[name] for name in plain))
        for each in document["versions"]
    ]
    console.print(table("Versions", ["version", "stage", "coverage", "base model", "dims", "pinned"], rows))
    if document["workers"]:
        names = ("version", "worker", "embedded", "quarantined", "songs_per_second")
        at_it = [[each[name] for name in names] for each in document["workers"]]
        console.print(table("Embedding now", ["version", "worker", "embedded", "set aside", "songs/s"], at_it))
    if document["servers"]:
        answering = [(each["server"], each["version"], each["generation"]) for each in document["servers"]]
        console.print(table("Servers", ["server", "answers with", "generation"], answering))
    if document["quarantine"]:
        aside = [(each["version"], each["song_id"], each["reason"]) for each in document["quarantine"]]
        console.print(table("Set aside", ["version", "song", "reason"], aside))
    if document["live"] is None:
        console.print("Next: `autosort import FILE`, then `autosort retrain`.")
