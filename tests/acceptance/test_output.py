"""What people see: tables on stdout, progress and errors on stderr."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from lifecycle.cli.progress import TerminalProgress
from tests.support.command_line import PROMOTE_V2, CommandLine


def test_every_command_speaks_to_people_too(trained_autosort: CommandLine, tmp_path: Path) -> None:
    show = trained_autosort.show

    status = show("status").stdout
    assert "live v1 (generation 1)" in status
    assert "complete" in status
    evaluated = show("evaluate", "v2").stdout
    assert "unseen_song" in evaluated
    assert "text alone" in evaluated
    promoted = show(*PROMOTE_V2).stdout
    for rule in ("artifact", "coverage", "index", "overall", "unseen_playlists", "general_similarity", "golden"):
        assert rule in promoted
    assert "v2 is live (generation 2); before: v1." in promoted
    matched = show("match", "song-00001", "--top", "2").stdout
    for told in ("score", "and why", "of which", "nearest"):
        assert told in matched
    assert "v1 is live (generation 3)" in show("rollback").stdout
    acts = show("history").stdout
    assert "v2 → v1" in acts
    assert "a test" in acts
    assert "v2 is retained" not in show("sync").stdout

    faulty = tmp_path / "faulty.jsonl"
    faulty.write_text('{"kind": "song", "song_id": "s"}\n{"kind": "membership", "playlist_id": "p", "song_id": "q"}\n')
    imported = show("import", str(faulty)).stdout
    assert "2 rows could not be used" in imported
    assert "title" in imported
    assert "autosort sync" in imported


def test_errors_name_fact_and_remedy_on_stderr_and_leave_stdout_empty(trained_autosort: CommandLine) -> None:
    ended = trained_autosort.show("promote", "v9", code=1)

    assert ended.stdout == ""
    assert "There is no model version 'v9'." in ended.stderr
    assert "Registered: v1, v2." in ended.stderr


def test_progress_goes_to_stderr(trained_autosort: CommandLine, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.jsonl"
    fresh.write_text('{"kind": "song", "song_id": "fresh", "title": "Fresh"}\n')
    trained_autosort.run("import", str(fresh))

    ended = trained_autosort.run("sync")

    assert [each["embedded"] for each in ended.document] == [1, 1]
    assert "Embedding songs for v1" in ended.stderr


def test_a_line_with_brackets_is_printed_as_it_is() -> None:
    printed = StringIO()
    TerminalProgress(Console(file=printed, width=120)).say("refused [/graphql] by [bold]")
    assert printed.getvalue() == "refused [/graphql] by [bold]\n"
