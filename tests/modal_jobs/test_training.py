"""A training on Modal, from the command that asks for it to the version that it makes."""

import json
from pathlib import Path

from registry.artifacts import digest_of
from registry.database import Database
from registry.remote_work import list_open
from tests.support.command_line import CommandLine
from tests.support.minimodal import ControlPlane

RETRAIN = ("retrain", "--epochs", "1", "--no-reembed")


def volume_of(plane: ControlPlane) -> Path:
    (volume,) = plane.control()["volumes"].values()
    return Path(volume["dir"])


def containers_of(plane: ControlPlane, function: str) -> list[str]:
    events = plane.control()["events"]
    return [each["task"] for each in events if each["ev"] == "container_start" and each["fn"] == function]


def test_a_training_whose_container_is_taken_away_ends_as_one_version(
    autosort: CommandLine, plane: ControlPlane, small_library: Path, database: Database
) -> None:
    autosort.run("import", str(small_library))
    plane.control(preempt={"train": [2]})
    made = autosort.run(*RETRAIN).document
    assert (made["version"], made["already_registered"]) == ("v2", False)
    assert len(containers_of(plane, "train")) == 2
    status = autosort.run("status").document
    assert [each["version"] for each in status["versions"]] == ["v1", "v2"]
    assert status["remote_work"] == []

    # The model is the same bytes in both places.
    artifact = status["versions"][1]["artifact"]
    folder = volume_of(plane) / "artifacts" / artifact
    assert digest_of(folder) == artifact

    # The second container went on from the first one's checkpoint, to the same last step.
    (run,) = (volume_of(plane) / "runs").iterdir()
    standing = json.loads((run / "standing.json").read_text())
    assert standing["step"] == standing["steps"] > 0
    assert len(standing["seconds"]) == 2
    attempts = list(standing["seconds"].values())
    assert all(each > 0 for each in attempts)

    # What it took is on the books, by function; what went by here is not.
    (spent,) = autosort.run("cost").document["spent"]
    assert spent["details"]["gpu_seconds"]["train"] == spent["seconds"]
    assert spent["seconds"] >= sum(attempts) * 0.9
    assert spent["dollars"] > 0

    # The same again trains nothing.
    assert autosort.run(*RETRAIN).document["already_registered"] is True
    assert len(containers_of(plane, "train")) == 2
    with database.transaction() as connection:
        assert list_open(connection) == []
