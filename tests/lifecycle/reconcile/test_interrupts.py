"""A command that is asked to end ends in order: what it holds is anybody's at once."""

import time
from collections.abc import Iterator

import pytest

from lifecycle.workspace import Workspace
from registry.settings import RegistrySettings
from tests.lifecycle.reconcile.helpers import AddVersion, count, stage
from tests.support.command_line import CommandLine, environment

SONGS = 1_500


@pytest.fixture
def autosort(served_settings: RegistrySettings) -> Iterator[CommandLine]:
    assert served_settings.database_url is not None
    url = served_settings.database_url.get_secret_value()
    line = CommandLine(environment(AUTOSORT_HOME=str(served_settings.home), DATABASE_URL=url))
    yield line
    for process in line.started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_a_reembedding_that_is_asked_to_end_gives_back_what_it_holds(
    served: Workspace, autosort: CommandLine, add_version: AddVersion
) -> None:
    name = add_version()
    with served.database.transaction() as connection:
        connection.execute(
            "INSERT INTO songs (song_id, title, description) "
            "SELECT 'x-' || number, 'Song ' || number, repeat('rain on the window ', 80) "
            "FROM generate_series(1, %s) AS number",
            [SONGS],
        )
    process = autosort.start("reembed", name)
    while not written(served, name):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.terminate()
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 143
    assert stdout == ""
    assert "The same command goes on" in stderr
    assert count(served, "embedding_workers") == 0
    assert count(served, "embedding_claims WHERE worker IS NOT NULL") == 0
    assert 0 < written(served, name) < SONGS
    assert stage(served, name) == "embedding"


def written(workspace: Workspace, version: str) -> int:
    with workspace.database.transaction() as connection:
        row = connection.execute("SELECT to_regclass(%s) AS made", [f"song_vectors_384_{version}"]).fetchone()
    return count(workspace, f"song_vectors_384_{version}") if row and row["made"] else 0
