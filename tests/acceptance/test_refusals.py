"""What must not be done is refused with a message that names the fact and the remedy, and nothing is changed."""

import json
import os
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from registry.migrate import known_migrations
from registry.settings import RegistrySettings
from tests.support.command_line import PROMOTE_V2, CommandLine


def _artifact(settings: RegistrySettings, line: CommandLine, version: str) -> Path:
    digest = next(each["artifact"] for each in line.run("status").document["versions"] if each["version"] == version)
    return settings.artifacts_folder / str(digest)


def _unlink_first(path: Path) -> None:
    """Give a hard-linked file bytes of its own, so that changing it changes nobody else's."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def _unchanged(line: CommandLine) -> None:
    status = line.run("status").document
    assert (status["live"], status["generation"]) == ("v1", 1)
    assert [each["stage"] for each in status["versions"]] == ["live", "ready"]


def test_a_changed_byte_in_the_artifact(trained_autosort: CommandLine, trained_settings: RegistrySettings) -> None:
    weights = _artifact(trained_settings, trained_autosort, "v2") / "model.safetensors"
    _unlink_first(weights)
    with weights.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))

    for command in (("promote", "v2"), ("match", "nothing such", "--version", "v2")):
        refused = trained_autosort.run(*command, code=1).document
        if command[0] == "promote":
            assert refused["error"] == "DigestMismatch"
            assert "backup" in refused["remedy"]
    _unchanged(trained_autosort)


def test_a_pickle_in_the_artifact_folder(trained_autosort: CommandLine, trained_settings: RegistrySettings) -> None:
    (_artifact(trained_settings, trained_autosort, "v2") / "pytorch_model.bin").write_bytes(b"\x80\x04.")

    refused = trained_autosort.run("promote", "v2", code=1).document

    assert refused["error"] == "UnsafeArtifact"
    assert "pytorch_model.bin" in refused["message"]
    _unchanged(trained_autosort)


def test_a_missing_artifact(trained_autosort: CommandLine, trained_settings: RegistrySettings) -> None:
    shutil.rmtree(_artifact(trained_settings, trained_autosort, "v2"))

    refused = trained_autosort.run("promote", "v2", code=1).document

    assert refused["error"] == "ArtifactError"
    _unchanged(trained_autosort)


@pytest.mark.parametrize("command", ["promote", "reembed", "evaluate", "rollback", "retire"])
def test_a_version_that_does_not_exist(trained_autosort: CommandLine, command: str) -> None:
    refused = trained_autosort.run(command, "v9", code=1).document

    assert refused["error"] == "NotFound"
    assert "v9" in refused["message"]
    assert "v1, v2" in refused["remedy"]
    _unchanged(trained_autosort)


def test_songs_that_came_after_the_embedding(trained_autosort: CommandLine, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.jsonl"
    fresh.write_text('{"kind": "song", "song_id": "fresh", "title": "Fresh"}\n')
    trained_autosort.run("import", str(fresh))

    refused = trained_autosort.run("promote", "v2", code=1).document

    assert refused["error"] == "GateClosed"
    assert "1 missing" in refused["message"]
    assert "autosort reembed v2" in refused["remedy"]
    _unchanged(trained_autosort)


def test_of_two_promotions_at_the_same_moment_one_wins_and_the_other_is_told(trained_autosort: CommandLine) -> None:
    both = [trained_autosort.start(*PROMOTE_V2) for _ in range(2)]
    ended = [(process.communicate(), process.returncode) for process in both]

    assert sorted(code for _, code in ended) == [0, 1], ended
    loser = next(stdout for (stdout, _), code in ended if code == 1)
    assert "PointerMoved" in loser
    assert "autosort history" in loser
    status = trained_autosort.run("status").document
    assert (status["live"], status["generation"]) == ("v2", 2)
    assert len([each for each in trained_autosort.run("history").document if each["action"] == "promote"]) == 2


def test_a_version_that_is_worse_goes_live_only_by_force_and_with_a_reason(
    trained_autosort: CommandLine, trained_settings: RegistrySettings
) -> None:
    url = trained_settings.database_url.get_secret_value() if trained_settings.database_url else ""
    _make_worse(url, "v2")

    refused = trained_autosort.run("promote", "v2", code=1).document
    assert refused["error"] == "GateClosed"
    assert "overall: mrr of" in refused["message"]
    assert len(refused["decision"]["verdicts"]) == 16
    told = trained_autosort.show("promote", "v2", code=1).stderr
    assert "The gate on v2" in told
    assert "digest verified" in told
    assert "reason" in trained_autosort.run("promote", "v2", "--force", code=1).document["remedy"]
    _unchanged(trained_autosort)

    assert trained_autosort.run("promote", "v2", "--force", "--reason", "we must").document["live"] == "v2"
    act = trained_autosort.run("history").document[0]
    assert (act["reason"], act["evidence"]["forced"], act["evidence"]["passed"]) == ("we must", True, False)


def test_promoting_what_is_live_already_changes_nothing(trained_autosort: CommandLine) -> None:
    again = trained_autosort.run("promote", "v1").document

    assert not again["moved"]
    _unchanged(trained_autosort)


def test_a_second_rollback_does_not_bring_back_what_was_fled_from(trained_autosort: CommandLine) -> None:
    trained_autosort.run(*PROMOTE_V2)
    trained_autosort.run("rollback")

    refused = trained_autosort.run("rollback", code=1).document

    assert "autosort promote v2" in refused["remedy"]
    assert trained_autosort.run("status").document["live"] == "v1"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_retiring_what_is_needed(trained_autosort: CommandLine, version: str) -> None:
    trained_autosort.run(*PROMOTE_V2)

    assert trained_autosort.run("retire", version, code=1).document["error"] == "Refused"


def test_a_database_that_is_down(trained_autosort: CommandLine) -> None:
    trained_autosort.environment["DATABASE_URL"] = "postgresql://someone:hunter2@127.0.0.1:1/music"

    begun = [trained_autosort.start(*command) for command in (("status",), ("promote", "v2"), ("serve",))]
    for process in begun:
        stdout, stderr = process.communicate(timeout=60)
        document = json.loads(stdout)
        assert (process.returncode, document["error"]) == (1, "DatabaseUnavailable")
        assert "127.0.0.1:1/music" in document["message"]
        assert "nothing is lost" in document["remedy"]
        assert "hunter2" not in stdout + stderr


def test_a_schema_that_was_not_migrated(autosort: CommandLine, settings: RegistrySettings) -> None:
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    with psycopg.connect(url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")

    assert "autosort migrate" in autosort.run("status", code=1).document["remedy"]
    assert autosort.run("migrate").document == {"applied": [each.name for each in known_migrations()]}
    assert autosort.run("status").document["live"] is None


def test_nothing_to_learn_from(autosort: CommandLine) -> None:
    assert "autosort import" in autosort.run("retrain", code=1).document["remedy"]


def test_wrong_usage_exits_with_2(autosort: CommandLine) -> None:
    for arguments in (("promote",), ("frobnicate",), ("match",), ("retrain", "--epochs", "0")):
        process = autosort.start(*arguments)
        process.communicate()
        assert process.returncode == 2, arguments


def test_the_demo_does_not_mix_made_up_songs_into_somebodys_own(autosort: CommandLine, tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text('{"kind": "song", "song_id": "mine", "title": "Mine"}\n')
    autosort.run("import", str(own))

    refused = autosort.run("demo", code=1).document

    assert "1 songs of your own" in refused["message"]
    assert autosort.run("status").document["catalogue"]["songs"] == 1


def _make_worse(url: str, version: str) -> None:
    """Every query of a version's evaluation came out as bad as can be."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT outcomes FROM evaluations WHERE version = %s", [version]).fetchone()
        assert row is not None
        outcomes = {name: regime | {"mrr": [0.0] * len(regime["songs"])} for name, regime in row[0].items()}
        parameters = [Jsonb(outcomes), version]
        connection.execute("UPDATE evaluations SET outcomes = %s WHERE version = %s", parameters)
