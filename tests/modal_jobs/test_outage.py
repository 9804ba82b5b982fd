"""Modal goes away in the middle: what was asked is on record, is taken up again, and is done once."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from benchmarks.made_up import add_songs
from lifecycle.workspace import Workspace
from registry import versions
from registry.artifacts import digest_of
from registry.settings import RegistrySettings
from registry.texts import CURRENT_TEMPLATE
from registry.vectors.vector_set import VectorSet
from registry.versions import EmbedderSpec, ModelSpec
from serving.matching.calibration import uncalibrated
from tests.modal_jobs.conftest import command_line, deploy_app
from tests.support.command_line import CommandLine
from tests.support.minimodal import ControlPlane, needs_minimodal, running_minimodal
from tests.support.small_models import small_embedder
from tests.support.trainings import RETRAIN as SHORT_RETRAIN

pytestmark = needs_minimodal

SONGS = 3_000
RETRAIN = (*SHORT_RETRAIN, "--profile", "e5-large", "--no-reembed")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def make_due(settings: RegistrySettings) -> None:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute("UPDATE remote_work SET due_at = now()")


def moved(folder: Path) -> Path:
    """A place for a stand-in that finds the volumes of an earlier one and knows none of its calls."""
    later = folder.with_name("later")
    shutil.copytree(folder / "volumes", later / "volumes")
    return later


def failed(process: "subprocess.Popen[str]") -> str:
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 1, stderr
    return stdout


def test_a_training_that_modal_left_and_then_took_a_container_from_ends_as_one_version(
    tmp_path: Path, settings: RegistrySettings, small_library: Path
) -> None:
    with running_minimodal(tmp_path / "plane", network=False) as plane:
        deploy_app(plane, settings)
        autosort = command_line(plane, settings)
        autosort.environment["AUTOSORT_BASE_FOLDER"] = str(small_embedder(tmp_path / "small"))
        autosort.run("import", str(small_library))
        retraining = autosort.start(*RETRAIN)
        wait_for(lambda: plane.control()["commits"].get("train", 0) >= 1)
    assert "on record" in failed(retraining)
    (work,) = autosort.run("status").document["remote_work"]
    assert (work["kind"], work["state"], work["attempts"]) == ("training", "running", 1)
    assert "Modal" in work["reason"]
    failed(autosort.start(*RETRAIN))  # still away: nothing is asked twice
    (work,) = autosort.run("status").document["remote_work"]
    assert work["attempts"] == 2

    with running_minimodal(moved(plane.folder), port=plane.port, network=False) as plane:
        deploy_app(plane, settings)
        plane.control(preempt={"train": [2]})
        make_due(settings)
        taken_up = autosort.run("sync")  # whatever runs next
        assert plane.started("train") == 2, taken_up.stderr
        require_one_version(plane, autosort)
        again = autosort.run(*RETRAIN).document
        assert (again["version"], again["already_registered"]) == ("v2", True)
        assert plane.started("train") == 2


def require_one_version(plane: ControlPlane, autosort: CommandLine) -> None:
    """One version, its model the same bytes in both places, trained to its last step in several attempts."""
    status = autosort.run("status").document
    assert [each["version"] for each in status["versions"]] == ["v1", "v2"]
    assert status["remote_work"] == []
    (volume,) = plane.control()["volumes"].values()
    artifact = status["versions"][1]["artifact"]
    assert digest_of(Path(volume["dir"]) / "artifacts" / artifact) == artifact
    (run,) = (each for each in (Path(volume["dir"]) / "runs").iterdir())
    standing = json.loads((run / "standing.json").read_text())
    assert standing["step"] == standing["steps"] > 0
    assert len(standing["seconds"]) >= 2, "one that found its outcome done adds nothing"
    assert not (run / "training").exists(), "what only the training needed is gone"
    expenses = autosort.run("cost").document["month"]["expenses"]
    (paid,) = [each for each in expenses if each["dollars"]]
    assert paid["details"]["gpu_seconds"] == {"train": pytest.approx(sum(standing["seconds"].values()), rel=0.5)}
    assert paid["version"] == "v2"


def test_a_reembedding_goes_on_and_embeds_each_song_once(tmp_path: Path, workspace: Workspace) -> None:
    name = register(workspace, tmp_path)
    with running_minimodal(tmp_path / "plane", network=False) as plane:
        deploy_app(plane, workspace.settings)
        autosort = command_line(plane, workspace.settings)
        embedding = autosort.start("reembed", name)
        wait_for(lambda: plane.started("Embedder") > 0)
    assert "on record" in failed(embedding)
    (work,) = autosort.run("status").document["remote_work"]
    assert (work["kind"], work["key"], work["attempts"]) == ("reembedding", name, 1)
    before = embedded(workspace, name)
    assert before < SONGS

    with running_minimodal(moved(plane.folder), port=plane.port, network=False) as plane:
        deploy_app(plane, workspace.settings)
        done = command_line(plane, workspace.settings).run("reembed", name).document
    assert done["embedded"] == SONGS - before
    assert embedded(workspace, name) == SONGS
    assert autosort.run("status").document["remote_work"] == []


def register(workspace: Workspace, folder: Path) -> str:
    """A version of a small model, and songs to embed for it."""
    artifact = workspace.artifacts.add(small_embedder(folder / "small"))
    embedder = EmbedderSpec(artifact=artifact, base_model="small", base_revision="1", dimensions=32, max_length=64)
    spec = ModelSpec(embedder=embedder, text_template=CURRENT_TEMPLATE, matching=uncalibrated({}))
    with workspace.database.transaction() as connection:
        add_songs(connection, SONGS, {"pop": 1.0})
        return versions.register(connection, spec, recipe="small", actor="test").version


def embedded(workspace: Workspace, name: str) -> int:
    with workspace.database.transaction() as connection:
        vectors = VectorSet(versions.get(connection, name))
        if vectors.state(connection) is None:
            return 0
        return len(vectors.song_vectors(connection, [f"song-{number:08}" for number in range(SONGS)]))
