"""`kill -9` in the middle of the long commands, then the same command again: as if nothing had happened."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from registry.settings import RegistrySettings
from tests.support.command_line import PROMOTE_V2, CommandLine
from tests.support.trainings import RETRAIN


def _summary(line: CommandLine) -> dict[str, Any]:
    """What a status says, without what differs between any two runs: places and times."""
    status = line.run("status").document
    versions = [{k: v for k, v in each.items() if k != "registered_at"} for each in status["versions"]]
    return {**{k: v for k, v in status.items() if k not in {"home", "database"}}, "versions": versions}


def test_a_retraining_killed_at_every_stage_ends_as_an_undisturbed_one(
    autosort: CommandLine,
    settings: RegistrySettings,
    small_library: Path,
    trained_template: RegistrySettings,
) -> None:
    autosort.run("import", str(small_library))
    url = settings.database_url.get_secret_value() if settings.database_url else ""

    def embedding_v1() -> bool:
        return _count(url, "song_vectors_384_v1") > 0

    def first_checkpoint() -> bool:
        return any(settings.runs_folder.glob("*/checkpoint-*/complete"))

    def registered_v2() -> bool:
        return _count(url, "model_versions") == 2

    assert autosort.kill_once(embedding_v1, *RETRAIN)
    assert autosort.kill_once(first_checkpoint, *RETRAIN)
    assert autosort.kill_once(registered_v2, *RETRAIN)
    done = autosort.run(*RETRAIN).document

    assert (done["version"], done["stage"], done["live"]) == ("v2", "ready", "v1")
    assert set(done["evaluation"]["regimes"]) == {"unseen_song", "unseen_playlist", "both_unseen", "later"}
    undisturbed = _evaluation(trained_template)
    assert done["evaluation"]["n"] == undisturbed["n"]
    assert done["evaluation"]["mrr"] == pytest.approx(undisturbed["mrr"], abs=0.02)
    status = _summary(autosort)
    assert [(each["version"], each["stage"]) for each in status["versions"]] == [("v1", "live"), ("v2", "ready")]
    assert not any(count for each in status["versions"] for count in each["coverage"].values())
    assert not [each for each in settings.runs_folder.iterdir() if each.is_dir()]


def test_a_reembedding_killed_twice_ends_with_the_same_rows(
    trained_autosort: CommandLine, trained_settings: RegistrySettings
) -> None:
    url = trained_settings.database_url.get_secret_value() if trained_settings.database_url else ""
    before = _vectors(url)
    _forget_vectors(url)

    assert trained_autosort.kill_once(lambda: True, "reembed", "v2")
    refused = trained_autosort.run("promote", "v2", code=1).document
    assert refused["error"] == "Refused"
    assert "autosort reembed v2" in refused["remedy"]
    assert trained_autosort.kill_once(lambda: _count(url, "song_vectors_384_v2") > 0, "reembed", "v2")
    done = trained_autosort.run("reembed", "v2").document

    assert not any(done["coverage"].values())
    after = _vectors(url)
    assert after.keys() == before.keys()
    for song_id, vector in before.items():
        assert after[song_id] == pytest.approx(vector, abs=2e-3), song_id


@pytest.mark.parametrize("delay", [0.0, 0.7, 1.0, 1.4])
def test_a_killed_promotion_leaves_pointer_stages_and_audit_log_in_agreement(
    trained_autosort: CommandLine, delay: float
) -> None:
    begun = time.monotonic()
    trained_autosort.kill_once(lambda: time.monotonic() - begun > delay, *PROMOTE_V2)

    _agree(trained_autosort)
    trained_autosort.run(*PROMOTE_V2)
    status = _summary(trained_autosort)
    assert (status["live"], status["previous"], status["generation"]) == ("v2", "v1", 2)
    _agree(trained_autosort)


def _agree(line: CommandLine) -> None:
    status = _summary(line)
    moves = [each for each in line.run("history").document if each["action"] in {"promote", "rollback"}]
    assert moves[0]["version"] == status["live"]
    assert moves[0]["generation"] == status["generation"] == len(moves)
    assert [each["version"] for each in status["versions"] if each["stage"] == "live"] == [status["live"]]


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
        if not row or not row[0]:
            return 0
        row = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        return int(row[0]) if row else 0


def _evaluation(settings: RegistrySettings) -> Any:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        row = connection.execute("SELECT report FROM evaluations WHERE version = 'v2'").fetchone()
    assert row is not None
    return row[0]


def _vectors(url: str) -> dict[str, list[float]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT song_id, embedding::text FROM song_vectors_384 WHERE model_version = 'v2'")
        return {song_id: [float(part) for part in text.strip("[]").split(",")] for song_id, text in rows}


def _forget_vectors(url: str) -> None:
    """Take v2 back to where nothing was embedded for it."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE song_vectors_384_v2, playlist_vectors_384_v2")
        connection.execute("DELETE FROM vector_sets WHERE version = 'v2'")
        connection.execute("UPDATE model_versions SET stage = 'registered' WHERE version = 'v2'")
