"""A real PgBouncer before a Postgres, as managed databases put one: in transaction mode unless another is asked for."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest

from tests.support.service import free_port


@contextmanager
def pooled(url: str, mode: str = "transaction") -> Iterator[str]:
    """The URL of the same database through PgBouncer; it is ended with the context. Skips where it is not installed."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian's package pgbouncer)")
    port = free_port()
    socket = Path(unquote(parse_qs(urlsplit(url).query)["host"][0]))
    with tempfile.TemporaryDirectory() as folder:  # not one of pytest's own, which are root's alone
        Path(folder).chmod(0o755)
        configuration = Path(folder) / "pgbouncer.ini"
        configuration.write_text(_configuration(socket, port, mode))
        # Not as root, which it refuses: as whoever may use the socket.
        user = socket.stat().st_uid if os.geteuid() == 0 else None
        process = subprocess.Popen([program, str(configuration)], stderr=subprocess.PIPE, text=True, user=user)
        address = f"postgresql://postgres@127.0.0.1:{port}/{urlsplit(url).path.lstrip('/')}"
        try:
            _wait(process, address)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def _configuration(socket: Path, port: int, mode: str) -> str:
    return f"""
[databases]
* = host={socket} port=5432 user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
max_client_conn = 200
default_pool_size = 20
ignore_startup_parameters = extra_float_digits
"""


def _wait(process: subprocess.Popen[str], address: str) -> None:
    deadline = time.monotonic() + 20
    while not _answers(address):
        assert process.poll() is None, f"PgBouncer ended: {process.communicate()}"
        assert time.monotonic() < deadline, "PgBouncer does not answer"
        time.sleep(0.05)


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
