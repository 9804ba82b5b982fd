"""Models and servers as the doctor sees them."""

import shutil

import psycopg
import pytest

from lifecycle.doctor.check import NotLookedAt, State
from lifecycle.doctor.postgres import Located, locate
from lifecycle.doctor.serving import check_artifacts, check_servers
from lifecycle.workspace import Workspace
from registry import pointer, servers, versions
from registry.servers import Standing
from registry.settings import RegistrySettings


def artifact(workspace: Workspace, version: str) -> str:
    with workspace.database.transaction() as connection:
        return versions.get(connection, version).spec.embedder.artifact


def beat(workspace: Workspace, server: str, standing: Standing) -> None:
    with workspace.database.transaction() as connection:
        servers.beat(connection, server, standing)


@pytest.fixture
def located(trained_settings: RegistrySettings) -> Located:
    return locate(trained_settings)


def test_models_of_versions_that_may_serve_must_be_there(trained: Workspace, located: Located) -> None:
    with trained.database.transaction() as connection:
        pointer.set_candidate(connection, "v2")
    whole = check_artifacts(located, trained.settings)
    assert (whole.state, whole.fact) == (State.GOOD, "The models of v1, v2 are there.")
    lost = artifact(trained, "v2")
    shutil.rmtree(trained.settings.artifacts_folder / lost)
    lacking = check_artifacts(located, trained.settings)
    assert (lacking.state, f"v2 lacks {lost[:12]}" in lacking.fact) == (State.BAD, True)


def test_a_model_of_a_version_that_nobody_asks_for_is_not_missed(trained: Workspace, located: Located) -> None:
    with trained.database.transaction() as connection:
        pointer.set_candidate(connection, None)
    shutil.rmtree(trained.settings.artifacts_folder / artifact(trained, "v2"))
    assert check_artifacts(located, trained.settings).state is State.GOOD


def test_without_a_live_version_nothing_is_missed(settings: RegistrySettings) -> None:
    assert check_artifacts(locate(settings), settings).state is State.UNUSED


def test_servers_must_follow(trained: Workspace, located: Located) -> None:
    assert check_servers(located).state is State.UNUSED
    beat(trained, "one", Standing("v1", 1))
    assert check_servers(located).fact == "one (v1)."
    beat(trained, "two", Standing("v1", 0))
    behind = check_servers(located)
    assert (behind.state, behind.fact) == (State.BAD, "1 of 2 do not follow generation 1: two: at generation 0.")
    beat(trained, "two", Standing("v1", 1, problem="v2 cannot be loaded"))
    assert "two: v2 cannot be loaded" in check_servers(located).fact


def test_what_a_pending_schema_may_not_have_is_not_looked_at(settings: RegistrySettings) -> None:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute("DELETE FROM schema_migrations")
    with pytest.raises(NotLookedAt, match="schema"):
        check_servers(locate(settings))
    with pytest.raises(NotLookedAt, match="schema"):
        check_artifacts(locate(settings), settings)
