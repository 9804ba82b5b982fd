"""The scheduled function, called as Modal calls it: with nothing, in a container."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.made_up import add_songs
from lifecycle.workspace import Workspace
from registry.artifacts import digest_of
from registry.settings import RegistrySettings
from tests.lifecycle.test_quarter import LENIENT, STRICT, make_due
from tests.modal_jobs.conftest import Deploy, deploy_app, require_no_secret
from tests.support.command_line import environment
from tests.support.minimodal import ControlPlane
from tests.support.small_models import small_embedder

CALL = "import json, modal; print(json.dumps(modal.Function.from_name('autosort', 'quarter').remote()))"


def called(plane: ControlPlane) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CALL], env=environment(**plane.environment), capture_output=True, text=True, check=False
    )


def call(plane: ControlPlane) -> tuple[str, str]:
    done = called(plane)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document["outcome"], document["why"]


def test_a_database_that_is_away_is_told_without_its_password(deploy: Deploy, settings: RegistrySettings) -> None:
    address = "postgresql://app:not-to-be-told@127.0.0.1:9/autosort"
    plane, _ = deploy(settings, DATABASE_URL=address)
    done = called(plane)
    assert done.returncode != 0
    assert "DatabaseUnavailable" in done.stderr
    assert "not-to-be-told" not in done.stdout + done.stderr
    require_no_secret(plane, address, "not-to-be-told")


def test_a_quarter_in_all_its_outcomes(
    deploy: Deploy, workspace: Workspace, small_library: Path, tmp_path: Path
) -> None:
    plane, autosort = deploy(workspace.settings, AUTOSORT_BUDGET="0.0001", AUTOSORT_MODAL_EMBEDDERS="1")
    autosort.environment["AUTOSORT_MODAL_EMBEDDERS"] = "1"
    (volume,) = plane.control()["volumes"].values()
    policy = LENIENT.model_dump(exclude_defaults=True)
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in policy.items())
    (Path(volume["dir"]) / "gate.toml").write_text("".join(lines))
    autosort.environment["AUTOSORT_BASE_FOLDER"] = str(small_embedder(tmp_path / "small"))
    autosort.run("import", str(small_library))
    with workspace.database.transaction() as connection:
        add_songs(connection, 600, {"pop": 1.0})
    autosort.run("sync")
    by_then = plane.started("Embedder")

    assert call(plane)[0] == "not_due"
    make_due(workspace)
    assert call(plane)[0] == "over_budget"
    assert (plane.started("train"), plane.started("Embedder")) == (0, by_then), "nothing was begun"

    plane.wait_until_gone("quarter")  # one that is warm has the secrets that it was started with
    deploy_app(plane, workspace.settings, AUTOSORT_MODAL_EMBEDDERS="1")
    outcome, why = call(plane)
    assert outcome == "waits_for_promotion", why
    base, tuned = autosort.run("status").document["versions"]
    assert (base["stage"], tuned["stage"]) == ("live", "ready")
    assert plane.started("train") == 1
    assert plane.started("Embedder") > by_then
    (paid,) = [each for each in autosort.run("cost").document["month"]["expenses"] if each["version"] == "v2"]
    assert paid["details"]["gpu_seconds"].keys() == {"train", "embed"}
    assert digest_of(Path(volume["dir"]) / "artifacts" / tuned["artifact"]) == tuned["artifact"]

    autosort.run("compare", "stop")
    make_due(workspace, STRICT)
    outcome, why = call(plane)
    assert outcome == "worse", why
    assert autosort.run("status").document["live"] == "v1"
    assert plane.started("train") == 1
    (cron,) = (each["schedule"]["cron"] for each in plane.control()["functions"].values() if each.get("schedule"))
    assert cron == {"cron_string": "0 6 2 1,4,7,10 *", "timezone": "UTC"}
    assert workspace.settings.database_url is not None
    require_no_secret(plane, workspace.settings.database_url.get_secret_value())
