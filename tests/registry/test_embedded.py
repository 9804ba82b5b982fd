"""The Postgres that comes along: made once, started on demand, its data kept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from registry.embedded import start_embedded_postgres
from registry.errors import DatabaseUnavailable

ROOT = Path(__file__).parents[2]
START = "import sys; from pathlib import Path; from registry.embedded import start_embedded_postgres as start; "


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and URL of a server of this module's own, first started over what a killed first start left behind."""
    folder = tmp_path_factory.mktemp("embedded") / "deep" / "postgres"
    draft = folder.with_suffix(".new")
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    (draft / "base").mkdir()
    return folder, start_embedded_postgres(folder)


def test_a_half_made_folder_of_a_killed_first_start_disturbs_nothing(started: tuple[Path, str]) -> None:
    folder, url = started
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not folder.with_suffix(".new").exists()


def test_it_offers_pgvector_and_listens_on_no_network(started: tuple[Path, str]) -> None:
    with psycopg.connect(started[1]) as connection:
        row = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'").fetchone()
        assert row == (1,)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_starting_again_gives_the_server_that_runs_with_all_it_holds(started: tuple[Path, str]) -> None:
    folder, url = started
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (name text)")
        before = connection.execute("SELECT pg_postmaster_start_time()").fetchone()
    again = start_embedded_postgres(folder)
    assert again == url
    with psycopg.connect(again) as connection:
        assert connection.execute("SELECT pg_postmaster_start_time()").fetchone() == before
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_another_process_gets_the_same_server_and_leaves_it_running(started: tuple[Path, str]) -> None:
    folder, url = started
    assert _elsewhere(folder, "print(start(Path(sys.argv[1])))").stdout.strip() == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_was_written_is_there_after_the_last_user_stopped_the_server_and_after_one_was_killed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "postgres"
    write = "import psycopg; connection = psycopg.connect(start(Path(sys.argv[1])), autocommit=True); "
    stopped = _elsewhere(folder, f"{write}connection.execute('CREATE TABLE one ()'); connection.close()")
    assert stopped.returncode == 0, stopped.stderr
    assert not (folder / "postmaster.pid").exists()
    killed = _elsewhere(
        folder, f"{write}connection.execute('CREATE TABLE two ()'); import os; os.kill(os.getpid(), {signal.SIGKILL})"
    )
    assert killed.returncode == -signal.SIGKILL
    # It runs on for the next; that one is this test's own process, which stops it when it ends.
    with psycopg.connect(start_embedded_postgres(folder)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        assert tables.fetchall() == [("one",), ("two",)]


def test_a_killed_server_is_started_again_with_all_that_was_committed(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    url = start_embedded_postgres(folder)
    for number in range(2):
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
            connection.execute("INSERT INTO kept VALUES (%s)", [number])
        _kill(folder)
        assert start_embedded_postgres(folder) == url
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert row == (number + 1,)


def test_a_server_that_another_process_has_started_again_is_stopped_by_the_last_that_uses_it(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    again = [sys.executable, "-c", START + "start(Path(sys.argv[1]))", str(folder)]
    done = _elsewhere(
        folder,
        "import subprocess; from tests.registry.test_embedded import _kill; folder = Path(sys.argv[1]); "
        f"url = start(folder); _kill(folder); subprocess.run({again!r}, check=True); "
        "started = (folder / 'postmaster.pid').read_text(); assert start(folder) == url; "
        "assert (folder / 'postmaster.pid').read_text() == started",
    )
    assert done.returncode == 0, done.stderr
    _expect_stopped(folder)


@pytest.mark.parametrize("somebody", ["another program", "an unreaped process"])
def test_an_id_that_became_somebody_elses_is_not_taken_for_the_server(tmp_path: Path, somebody: str) -> None:
    folder = tmp_path / "postgres"
    _elsewhere(folder, "start(Path(sys.argv[1]))")
    ended = "0" if somebody == "an unreaped process" else "60"
    with subprocess.Popen(["sleep", ended]) as process:
        left = [str(process.pid), str(folder), "1", "5432", str(folder), "", "1 1", "ready"]
        (folder / "postmaster.pid").write_text("\n".join(left) + "\n")
        if ended == "0":
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with psycopg.connect(start_embedded_postgres(folder)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.kill()


def test_one_killed_user_does_not_keep_the_server_running_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    _elsewhere(folder, f"start(Path(sys.argv[1])); import os; os.kill(os.getpid(), {signal.SIGKILL})")
    assert _elsewhere(folder, "start(Path(sys.argv[1]))").returncode == 0
    _expect_stopped(folder)


def test_two_processes_that_start_first_at_once_share_one_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START + "print(start(Path(sys.argv[1]))); sys.stdin.read()"]
    both = [
        subprocess.Popen(
            [*command, tmp_path / "postgres"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        urls = [process.stdout.readline() for process in both if process.stdout]
        assert urls[0].startswith("postgresql://")
        assert urls[0] == urls[1]
    finally:
        for process in both:
            process.communicate(timeout=60)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnavailable) as refused:
        start_embedded_postgres(tmp_path / "file" / "postgres")
    assert "DATABASE_URL" in refused.value.remedy
    with pytest.raises(DatabaseUnavailable):
        start_embedded_postgres(Path("/proc/no/such/place/postgres"))


def test_a_folder_of_somebody_elses_is_reported_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "letters.txt").write_text("dear")
    with pytest.raises(DatabaseUnavailable, match="does not start"):
        start_embedded_postgres(folder)
    assert [path.name for path in folder.iterdir()] == ["letters.txt"]


def test_a_folder_whose_data_is_gone_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    with pytest.raises(DatabaseUnavailable):
        start_embedded_postgres(folder)


def test_data_of_another_version_of_postgres_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("9\n")
    with pytest.raises(DatabaseUnavailable, match="9"):
        start_embedded_postgres(folder)


@pytest.mark.parametrize("content", [b"", b"\n", b"eighteen", b"\xff\x00"])
def test_an_emptied_or_garbled_version_file_is_reported(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match="PG_VERSION") as refused:
        start_embedded_postgres(folder)
    assert "backup" in refused.value.remedy


def test_a_folder_with_marks_of_a_url_in_its_name_will_do(tmp_path: Path) -> None:
    # The server's socket lies in it, so that the name becomes part of the URL.
    folder = tmp_path / "a@b%20c?d#e" / "postgres"
    connect = "import psycopg; psycopg.connect(start(Path(sys.argv[1]))).close()"
    done = _elsewhere(folder, connect)
    assert done.returncode == 0, done.stderr


def _kill(folder: Path) -> None:
    """`kill -9` the server, and see it gone."""
    process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
    users = process.children()
    process.kill()
    psutil.wait_procs([process, *users], timeout=30)


def _expect_stopped(folder: Path) -> None:
    left = folder / "postmaster.pid"
    if left.exists():
        os.kill(int(left.read_text().split()[0]), signal.SIGINT)
        pytest.fail("the server runs on, though nobody uses it")


def _elsewhere(folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own, with `start` and the folder as its argument."""
    return subprocess.run(
        [sys.executable, "-c", START + code, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_path_that_the_server_could_not_be_started_from_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="AUTOSORT_HOME"):
        start_embedded_postgres(tmp_path / "Application Support" / "postgres")
