"""`autosort doctor`, as somebody types it at night or on a new machine."""

import socket
import time
from pathlib import Path
from typing import Any

from tests.support.command_line import CommandLine, Finished, environment

NAMES = [
    *("settings", "home", "disk", "database", "schema", "pgvector", "pooler", "clock"),
    *("artifacts", "servers", "modal", "hub", "wandb", "device", "cores"),
]


def states(finished: Finished) -> dict[str, str]:
    return {each["name"]: each["state"] for each in finished.document["checks"]}


def line(finished: Finished, name: str) -> dict[str, Any]:
    return next(each for each in finished.document["checks"] if each["name"] == name)


def test_where_all_is_well_it_says_so_to_scripts_and_to_people(trained_autosort: CommandLine) -> None:
    found = trained_autosort.run("doctor")
    assert found.document["good"] is True
    assert [each["name"] for each in found.document["checks"]] == NAMES
    assert {*found.document["checks"][0]} == {"name", "state", "fact", "remedy"}
    for name in ("settings", "home", "disk", "database", "schema", "pgvector", "pooler", "clock", "artifacts"):
        assert states(found)[name] == "good"
    shown = trained_autosort.show("doctor").stdout
    assert "Nothing is bad." in shown
    assert "\x1b" not in shown
    assert all(name in shown for name in NAMES)


def test_on_a_new_machine_nothing_is_bad_and_nothing_is_made(embedded_autosort: CommandLine) -> None:
    found = embedded_autosort.run("doctor")
    assert (states(found)["home"], states(found)["database"]) == ("good", "unused")
    assert not Path(embedded_autosort.environment["AUTOSORT_HOME"]).exists()


def test_the_embedded_database_is_looked_at_and_left_as_it_was(embedded_autosort: CommandLine) -> None:
    embedded_autosort.run("history")
    found = embedded_autosort.run("doctor")
    assert (states(found)["database"], states(found)["schema"]) == ("good", "good")
    assert "embedded" in line(found, "database")["fact"]
    folder = Path(embedded_autosort.environment["AUTOSORT_HOME"]) / "postgres"
    assert not (folder / "postmaster.pid").exists(), "the server runs on, though nobody uses it"


def test_with_everything_broken_each_is_told_once_and_no_secret_is(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    broken = CommandLine(
        environment(
            AUTOSORT_HOME=str(tmp_path / "home"),
            DATABASE_URL="postgresql://ada:s3cret-word@127.0.0.1:1/songs",
            AUTOSORT_BUDGET="ten",
            AUTOSORT_DEVICE="cuda:99",
            OMP_NUM_THREADS="9999",
        )
    )
    found = broken.run("doctor", code=1)
    assert found.document["good"] is False
    bad = {name for name, state in states(found).items() if state == "bad"}
    assert bad >= {"settings", "home", "database", "device", "cores"}
    assert all(each["remedy"] for each in found.document["checks"] if each["state"] == "bad")
    assert line(found, "schema")["fact"] == "Not looked at, because of the database."
    shown = broken.show("doctor", code=1)
    assert "are bad: settings, home, " in shown.stdout
    for said in (found.stdout, found.stderr, shown.stdout, shown.stderr):
        assert "s3cret-word" not in said
        assert "Traceback" not in said


def test_a_database_that_keeps_silent_holds_nothing_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/songs"
        waiting = CommandLine(environment(AUTOSORT_HOME=str(tmp_path), AUTOSORT_DEVICE="cpu", DATABASE_URL=url))
        began = time.monotonic()
        found = waiting.run("doctor", code=1)
    assert time.monotonic() - began < 20  # of which it waits 5 s, and this machine may be busy
    assert (states(found)["database"], states(found)["pgvector"], states(found)["cores"]) == ("bad", "unused", "good")
