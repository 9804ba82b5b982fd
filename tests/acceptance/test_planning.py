"""What a scheduler and whoever pays see: `autosort check` and `autosort cost`, and the budget on the commands."""

from pathlib import Path

import psycopg
import pytest

from registry.settings import RegistrySettings
from tests.support.command_line import PROMOTE_V2, CommandLine

DUE, NOT_DUE = 0, 3


def _execute(settings: RegistrySettings, statement: str) -> None:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute(statement.encode())


def _add_songs(line: CommandLine, folder: Path, count: int) -> None:
    fresh = folder / "fresh.jsonl"
    fresh.write_text(
        "".join(f'{{"kind": "song", "song_id": "fresh-{n}", "title": "Fresh {n}"}}\n' for n in range(count))
    )
    line.run("import", str(fresh))


def test_a_scheduler_is_told_by_the_exit_code(
    trained_autosort: CommandLine, trained_settings: RegistrySettings
) -> None:
    run = trained_autosort.run
    quiet = run("check", code=NOT_DUE).document
    assert (quiet["due"], quiet["live"], quiet["candidate"]) == (False, "v1", "v2")
    assert all(each["figure"] and each["explanation"] for each in quiet["triggers"])

    run(*PROMOTE_V2)
    assert run("check", code=NOT_DUE).document["due"] is False
    _execute(
        trained_settings,
        "INSERT INTO playlists (playlist_id, name) VALUES ('from', 'From Here'), ('to', 'To There');"
        "INSERT INTO feedback (user_name, song_id, playlist_id, verdict, from_playlist_id, at) "
        "SELECT 'ada', song_id, 'to', 'move', 'from', now() FROM songs LIMIT 12",
    )
    due = run("check", code=DUE).document
    assert due["due"]
    assert [each["name"] for each in due["triggers"] if each["holds"]] == ["moves"]
    shown = trained_autosort.show("check", code=DUE).stdout
    assert "12 between From Here and To There" in shown
    assert "autosort retrain" in shown
    assert [each["version"] for each in run("status").document["versions"]] == ["v1", "v2"]


def test_a_check_that_fails_is_no_reason_to_train(trained_autosort: CommandLine) -> None:
    trained_autosort.environment["DATABASE_URL"] = "postgresql://someone@127.0.0.1:1/music"
    assert trained_autosort.run("check", code=1).document["error"] == "DatabaseUnavailable"


def test_the_cost_is_told_with_its_arithmetic(trained_autosort: CommandLine) -> None:
    planned = trained_autosort.run("cost", "--profile", "e5-large", "--pairs", "100000", "--songs", "50000").document
    assert (planned["pairs"], planned["songs"], planned["month"]["budget"]) == (100_000, 50_000, 30)
    on_modal, here = planned["training"]
    assert (on_modal["machine"], on_modal["basis"], here["dollars"]) == ("A10 on Modal", "estimated", 0)
    *prices, total = [line["value"] for line in on_modal["lines"] if line["unit"] == "$"]
    assert len(prices) == 3
    assert total == pytest.approx(sum(prices)) == on_modal["dollars"]
    assert on_modal["seconds"] * (0.000306 + 4 * 0.0000131 + 16 * 0.00000222) == pytest.approx(total)

    more = trained_autosort.run("cost", "--profile", "e5-large", "--pairs", "100000", "--epochs", "50").document
    assert more["training"][0]["dollars"] > 10 * total

    shown = trained_autosort.show("cost").stdout
    assert "Training (bundled) on A10 on Modal" in shown
    assert "$0.000306/s" in shown
    assert "This month: $0.00 of $30.00 spent" in shown
    assert "--profile" not in trained_autosort.run("cost", "--profile", "huge", code=1).document["remedy"]


def test_the_budget_stands_in_the_way_until_somebody_says_why(trained_autosort: CommandLine, tmp_path: Path) -> None:
    line = trained_autosort
    _add_songs(line, tmp_path, 3)
    line.environment |= {"AUTOSORT_LOCAL_PRICE": "1", "AUTOSORT_BUDGET": "0.5", "AUTOSORT_DEVICE": "cpu"}

    for command in (("retrain",), ("reembed", "v2"), ("sync",)):
        refused = line.run(*command, code=1).document
        assert refused["error"] == "OverBudget", command
        assert "--over-budget" in refused["remedy"]
    assert line.run("sync", "--over-budget", code=1).document["error"] == "BadInput"
    assert line.run("status").document["versions"][1]["coverage"]["missing"] == 3
    assert line.run("cost").document["month"]["expenses"] == []

    done = line.run("reembed", "v2", "--over-budget", "--reason", "the demo is tomorrow").document
    assert done["embedded"] == 3
    month = line.run("cost").document["month"]
    (expense,) = month["expenses"]
    assert (expense["work"], expense["version"], expense["reason"]) == ("reembedding", "v2", "the demo is tomorrow")
    assert expense["dollars"] == pytest.approx(expense["seconds"])
    assert month["spent"] == pytest.approx(expense["dollars"])
    assert "the demo is tomorrow" in line.show("cost").stdout

    again = line.run("reembed", "v2").document  # nothing is left to embed, so nothing is asked
    assert again["embedded"] == 0
    assert len(line.run("cost").document["month"]["expenses"]) == 1


def test_free_work_is_done_whatever_the_budget_and_written_down(trained_autosort: CommandLine, tmp_path: Path) -> None:
    line = trained_autosort
    _add_songs(line, tmp_path, 2)
    line.environment |= {"AUTOSORT_BUDGET": "0"}
    line.run("sync")
    (expense,) = line.run("cost").document["month"]["expenses"]
    assert (expense["work"], expense["dollars"], expense["details"]["songs"]) == ("reembedding", 0, 4)
    assert expense["seconds"] > 0


def test_a_setting_that_cannot_be_used_is_named(autosort: CommandLine) -> None:
    autosort.environment["AUTOSORT_BUDGET"] = "a lot"
    refused = autosort.run("cost", code=1).document
    assert (refused["error"], "AUTOSORT_BUDGET" in refused["message"]) == ("BadInput", True)
