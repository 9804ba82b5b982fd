"""Commands on the catalogue: import, match, status, history, migrate."""

from datetime import datetime
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
    rerank: Annotated[bool, typer.Option("--rerank", help="Have the version's reranker order the first 20.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the playlists that songs belong in, with each signal's share of the score."""
    from lifecycle.matching import match_queries
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        queries = [*(songs or []), *_lines(file)]
        if not queries:
            raise typer.BadParameter("name a song, or give --file")
        document = match_queries(workspace, queries, version=version, top_k=top, rerank=rerank)
        output.show(document, lambda console: print_matches(console, document))


def status(as_json: JsonOption = False) -> None:
    """Show versions, stages, coverage, the live pointer and what is set aside."""
    from lifecycle.status import read_status
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        document = read_status(workspace)
        output.show(document, lambda console: _print_status(console, document))


def history(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries to show.")] = 20,
    at: Annotated[
        str | None, typer.Option("--at", help='What was live then: "2026-05-03 14:00", in local time.')
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what to which version, when and why; or what was live at a moment."""
    from lifecycle.status import read_history, read_served_at
    from lifecycle.workspace import open_workspace

    with reporting(as_json) as output, open_workspace() as workspace:
        if at is not None:
            served = read_served_at(workspace, _moment(at))
            output.show(served, lambda console: _print_served(console, served))
            return
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


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment; write it as 2026-05-03T14:00 or 2026-05-03 14:00Z") from None


def _print_served(console: Console, served: dict[str, Any]) -> None:
    move = served["move"]
    until = f"until {served['until'][:19].replace('T', ' ')}" if served["until"] else "and still is"
    since = served["since"][:19].replace("T", " ")
    console.print(f"[bold]{served['version']}[/] was live: since {since}, {until} (generation {served['generation']}).")
    why = f": {move['reason']}" if move["reason"] else ""
    console.print(f"{move['action']} by {move['actor']}{why}", markup=False, highlight=False)


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


def _standing(server: dict[str, Any]) -> str:
    if server["problem"]:
        return str(server["problem"])
    return "" if server["follows"] or server["version"] is None else "straggles"


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
        answering = [
            (each["server"], each["version"], each["generation"], ", ".join(each["warm"]), _standing(each))
            for each in document["servers"]
        ]
        console.print(table("Servers", ["server", "answers with", "generation", "holds ready", ""], answering))
    if document["parallel_run"]:
        run = document["parallel_run"]
        console.print(
            f"{run['candidate']} answers beside {run['live']}: {run['sample']:.0%} of the requests in the shadow, "
            f"{run['canary']:.0%} of the users for real (`autosort compare {run['candidate']}`)"
        )
    if document["quarantine"]:
        aside = [(each["version"], each["song_id"], each["reason"]) for each in document["quarantine"]]
        console.print(table("Set aside", ["version", "song", "reason"], aside))
    if document["live"] is None:
        console.print("Next: `autosort import FILE`, then `autosort retrain`.")
