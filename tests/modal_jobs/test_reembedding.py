"""Re-embedding over several containers on Modal."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file, save_file

from benchmarks.made_up import add_songs
from lifecycle.workspace import Workspace
from registry import versions
from registry.texts import CURRENT_TEMPLATE
from registry.vectors.vector_set import VectorSet, list_quarantine
from registry.versions import EmbedderSpec, ModelSpec
from serving.matching.calibration import uncalibrated
from tests.modal_jobs.conftest import Deploy
from tests.support.minimodal import ControlPlane
from tests.support.small_models import small_embedder

SONGS = 5_000
POISON = "zebra"


@pytest.fixture
def poisoned_model(tmp_path: Path) -> Path:
    """A small model that gives no number for texts with one word in them."""
    folder = small_embedder(tmp_path / "small")
    words = {
        word: int(number)
        for word, number in json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"].items()
    }
    weights = load_file(folder / "model.safetensors")
    name = next(each for each in weights if each.endswith("word_embeddings.weight"))
    weights[name][words[POISON]] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_five_thousand_songs_over_containers_of_which_one_dies(
    deploy: Deploy, workspace: Workspace, poisoned_model: Path
) -> None:
    plane, autosort = deploy(workspace.settings)
    spec = ModelSpec(
        embedder=EmbedderSpec(
            artifact=workspace.artifacts.add(poisoned_model),
            base_model="small",
            base_revision="1",
            dimensions=32,
            max_length=256,
        ),
        text_template=CURRENT_TEMPLATE,
        matching=uncalibrated({}),
    )
    with workspace.database.transaction() as connection:
        add_songs(connection, SONGS, {"pop": 1.0})
        # Long ones, so that a container that is taken away is in the middle of something.
        connection.execute("UPDATE songs SET description = repeat('rain on the harbour ', 60)")
        connection.execute(
            "UPDATE songs SET title = 'Zebra ' || song_id WHERE song_id IN ('song-00000017', 'song-00000018')"
        )
        version = versions.register(connection, spec, recipe="small", actor="test")
    killer = threading.Thread(target=kill_one_embedder, args=(plane,))
    killer.start()
    done = autosort.run("reembed", version.version).document
    killer.join()
    assert done["embedded"] == SONGS - 2
    assert done["coverage"]["missing"] == done["coverage"]["stale"] == 0
    (paid,) = autosort.run("cost").document["month"]["expenses"]
    assert paid["details"]["gpu_seconds"]["embed"] > 0

    events = plane.control()["events"]
    started = [each["task"] for each in events if each["ev"] == "container_start" and each["fn"].startswith("Embedder")]
    assert len(started) >= 4
    assert any(each["ev"] == "requeue_preempted" for each in events)

    with workspace.database.transaction() as connection:
        quarantined = list_quarantine(connection)
        vectors = VectorSet(version).song_vectors(connection, [f"song-{number:08}" for number in range(SONGS)])
    assert sorted(each["song_id"] for each in quarantined) == ["song-00000017", "song-00000018"]
    assert all("no finite vector" in each["reason"] for each in quarantined)
    assert len(vectors) == SONGS - 2

    # The same again finds nothing to do, and starts no container.
    again = autosort.run("reembed", version.version).document
    assert again["embedded"] == 0
    assert len([each for each in plane.control()["events"] if each["ev"] == "container_start"]) == len(
        [each for each in events if each["ev"] == "container_start"]
    )


def kill_one_embedder(plane: ControlPlane) -> None:
    """Kill the first container that embeds, once it has begun to."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        events = plane.control()["events"]
        tasks = [
            each["task"] for each in events if each["ev"] == "container_start" and each["fn"].startswith("Embedder")
        ]
        done = [each["task"] for each in events if each["ev"] == "output" and each["fn"].startswith("Embedder")]
        if len(tasks) >= 2 and done:
            for process in psutil.process_iter(["cmdline", "environ"]):
                environment = process.info["environ"] or {}
                if environment.get("MODAL_TASK_ID") == done[0] and "_container_entrypoint" in " ".join(
                    process.info["cmdline"] or []
                ):
                    process.suspend()  # it has asked for more, and is given it
                    time.sleep(1)
                    process.kill()
                    return
        time.sleep(0.05)
