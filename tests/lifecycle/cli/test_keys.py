"""`autosort keys`, and that nobody serves others without one."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from lifecycle.cli.main import app
from registry.settings import RegistrySettings


@pytest.fixture(autouse=True)
def _over(settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands go to a database of the test's own; the handler that they set for SIGTERM goes with them."""
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("AUTOSORT_HOME", str(settings.home))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(*arguments: str, code: int = 0) -> Any:
    """The JSON document of a command."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_key_is_shown_once_listed_and_revoked() -> None:
    made = run("keys", "add", "app", "--role", "write")
    assert (made["name"], made["role"], made["revoked_at"]) == ("app", "write", None)
    assert made["key"].startswith("autosort_")
    listed = run("keys", "list")
    assert [each["name"] for each in listed["keys"]] == ["app"]
    assert made["key"] not in json.dumps(listed)
    assert run("keys", "revoke", "app") == {"name": "app", "revoked": True, "changed": True}
    assert not run("keys", "revoke", "app")["changed"]
    assert run("keys", "list")["keys"][0]["revoked_by"] == made["created_by"]
    assert run("keys", "revoke", "nobody", code=1)["error"] == "NotFound"
    assert run("keys", "add", "app", "--role", "read", code=1)["error"] == "BadInput"


def test_a_person_is_told_the_key_whole_on_a_line_of_its_own() -> None:
    told = CliRunner().invoke(app, ["keys", "add", "app", "--role", "read"]).stdout.splitlines()
    assert [line for line in told if line.startswith("autosort_") and len(line) == len("autosort_") + 64]
    assert "read" in CliRunner().invoke(app, ["keys", "list"]).stdout


def test_a_service_that_others_can_reach_is_refused_without_a_key() -> None:
    refused = run("serve", "--host", "0.0.0.0", code=1)  # noqa: S104
    assert refused["error"] == "Refused"
    assert "autosort keys add" in refused["remedy"]


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_AUTH", "perhaps")
    refused = run("serve", code=1)
    assert refused["message"].startswith("AUTOSORT_AUTH is 'perhaps'")
