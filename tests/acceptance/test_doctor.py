"""`autosort doctor`, as somebody types it who does not know what is wrong."""

from pathlib import Path

from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine, environment
from tests.support.minimodal import needs_minimodal, running_minimodal
from tests.support.pgbouncer import pooled


def states(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {each["name"]: each["state"] for each in document["checks"]}


def test_where_all_is_well_nothing_is_bad(trained_autosort: CommandLine) -> None:
    document = trained_autosort.run("doctor").document
    assert document["good"] is True
    found = states(document)
    assert {found[name] for name in ("settings", "disk", "database", "pgvector", "clock", "models", "device")} == {
        "good"
    }
    assert {found[name] for name in ("pooler", "servers", "modal", "hub")} == {"unused"}
    assert all(each["remedy"] is None for each in document["checks"])


def test_what_is_wrong_is_told_with_its_remedy_and_without_the_password(tmp_path: Path) -> None:
    line = CommandLine(
        environment(
            AUTOSORT_HOME=str(tmp_path), DATABASE_URL="postgresql://me:hunter2@127.0.0.1:9/db", AUTOSORT_BUDGET="no"
        )
    )
    done = line.run("doctor", code=1)
    found = states(done.document)
    assert (found["settings"], found["database"], found["disk"]) == ("bad", "bad", "good")
    assert "AUTOSORT_BUDGET" in str(done.document)
    assert "hunter2" not in done.stdout + done.stderr
    assert all(each["remedy"] for each in done.document["checks"] if each["state"] == "bad")
    shown = line.show("doctor", code=1)
    assert "bad" in shown.stdout
    assert "hunter2" not in shown.stdout + shown.stderr


def test_a_model_that_is_gone_is_missed(trained_autosort: CommandLine, trained_settings: RegistrySettings) -> None:
    (v1, *_) = trained_autosort.run("status").document["versions"]
    (trained_settings.artifacts_folder / v1["artifact"]).rename(trained_settings.home / "elsewhere")
    (models,) = (each for each in trained_autosort.run("doctor", code=1).document["checks"] if each["name"] == "models")
    assert v1["artifact"][:12] in models["fact"]


def test_a_pooler_is_seen(settings: RegistrySettings) -> None:
    assert settings.database_url is not None
    with pooled(settings.database_url.get_secret_value()) as url:
        line = CommandLine(environment(AUTOSORT_HOME=str(settings.home), DATABASE_URL=url))
        assert states(line.run("doctor").document)["pooler"] == "good"


@needs_minimodal
def test_modal_is_good_where_the_app_is_and_bad_where_it_is_wanted_and_is_not(
    settings: RegistrySettings, tmp_path: Path
) -> None:
    assert settings.database_url is not None
    variables = {"AUTOSORT_HOME": str(settings.home), "DATABASE_URL": settings.database_url.get_secret_value()}
    with running_minimodal(tmp_path / "plane") as plane:
        line = CommandLine(environment(AUTOSORT_COMPUTE="modal", **variables, **plane.environment))
        (found,) = (each for each in line.run("doctor", code=1).document["checks"] if each["name"] == "modal")
        assert "modal deploy" in found["remedy"]
        plane.run("secret", "create", "autosort-database", "DATABASE_URL=postgresql://nowhere")
        plane.run("deploy", "modal_jobs/app.py")
        assert states(line.run("doctor").document)["modal"] == "good"
    (found,) = (each for each in line.run("doctor", code=1).document["checks"] if each["name"] == "modal")
    assert "cannot be reached" in found["fact"]
    line.environment["AUTOSORT_COMPUTE"] = "local"
    assert states(line.run("doctor").document)["modal"] == "unused"
