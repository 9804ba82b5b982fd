"""Retrainings as Weights & Biases sees them: what W&B's own client wrote and sent is read back."""

import gc
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle.progress import Silent
from lifecycle.tracking import Tracking, tracked
from lifecycle.workspace import Workspace
from registry import versions
from registry.artifacts import ArtifactStore
from registry.database import Database
from registry.records import Playlist, Song
from registry.settings import RegistrySettings
from registry.stages import Stage
from registry.versions import EmbedderSpec, MatchSpec, ModelSpec, ModelVersion, TrainingSpec, Version
from tests.support.wandb_files import OfflineRun, read_run, runs_in
from tests.support.wandb_server import WandbServer, wandb_server
from training.configuration import profile
from training.dataset import LabelledPair, PairDataset
from training.splits import Split

RECIPE = "5eed" * 16
KEY = "0123456789abcdef" * 3
CONFIGURATION = profile("bundled", epochs=3)
_LEFT_BEHIND = "ignore:subprocess .* is still running:ResourceWarning"
"""Of a client that was killed; collected within the test, while it is expected."""
HISTORY = ({"loss": 0.7, "learning_rate": 1e-4, "epoch": 0.5}, {"eval_development_mrr": 0.6, "eval_runtime": 3.0})


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tracking as it is by default, and whatever W&B might write elsewhere within reach of the test."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AUTOSORT_TRACKING", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nobody listens


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def dataset() -> PairDataset:
    return PairDataset(
        template=1,
        songs={"song": Song(song_id="song", title="Song", artist="Band")},
        clusters={"song": "song"},
        playlists={"list": Playlist(playlist_id="list", name="List")},
        pairs=(LabelledPair("list", "song", "curated", Split.TRAIN),),
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Folders alone: tracking asks no database, so this one is not there."""
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "a home"})
    nowhere = Database("postgresql://nobody@localhost:1/none")
    return Workspace(nowhere, ArtifactStore(settings.artifacts_folder), settings)


@pytest.fixture
def base(workspace: Workspace, tmp_path: Path) -> ModelVersion:
    return ModelVersion(Version("v1"), Stage.LIVE, _spec(workspace, tmp_path / "base"), None, datetime.now(UTC))


@pytest.fixture
def made(workspace: Workspace, tmp_path: Path, dataset: PairDataset) -> ModelVersion:
    points = [{"coefficient": c, "development": {"a": 1.0}, "mean": 0.5 + c / 10} for c in (0.0, 0.5, 1.0)]
    training = TrainingSpec(
        parent="v1",
        dataset=dataset.fingerprint,
        configuration=CONFIGURATION.model_dump(mode="json"),
        code_revision="1",
        metrics={"development_mrr": 0.61},
        record={"interpolation": points, "chosen_coefficient": 0.5, "precision": "bf16", "silent_titles": []},
    )
    spec = _spec(workspace, tmp_path / "tuned").model_copy(update={"training": training})
    return ModelVersion(Version("v2"), Stage.REGISTERED, spec, RECIPE, datetime.now(UTC))


def _spec(workspace: Workspace, folder: Path) -> ModelSpec:
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(f"weights of {folder.name}".encode())
    (folder / "1_Pooling" / "config.json").write_text("{}")
    embedder = EmbedderSpec(
        artifact=workspace.artifacts.add(folder),
        base_model="a-model",
        base_revision="a-revision",
        dimensions=32,
        max_length=128,
    )
    return ModelSpec(embedder=embedder, text_template=1, matching=MatchSpec(weights={}, signals={}, features={}))


def _evaluation(version: str, top5: float) -> dict[str, Any]:
    regime = {"n": 40, "top5": top5 + 0.1, "sufficient": True, "intervals": {"top5": [0.1, 0.9]}}
    return {"version": version, "n": 40, "top5": top5, "regimes": {"unseen_song": regime}, "genres": {}}


class Retraining:
    """What a retraining tells, without the training."""

    def __init__(self, workspace: Workspace, base: ModelVersion, dataset: PairDataset, made: ModelVersion) -> None:
        self.workspace, self.base, self.dataset, self.made = workspace, base, dataset, made

    @contextmanager
    def begun(self, told: Told) -> Iterator[Tracking]:
        parts = (self.workspace, self.base, self.dataset, CONFIGURATION, RECIPE, told)
        with tracked(*parts) as tracking:
            tracking.log(10, HISTORY[0])
            tracking.log(10, HISTORY[1])
            yield tracking

    def done(self, told: Told) -> None:
        with self.begun(told) as tracking:
            tracking.registered(self.made)
            tracking.evaluated(_evaluation("v2", 0.8), _evaluation("v1", 0.7))

    @property
    def home(self) -> Path:
        return self.workspace.settings.home

    def runs(self) -> list[OfflineRun]:
        return [read_run(folder) for folder in runs_in(self.home)]


@pytest.fixture
def retraining(workspace: Workspace, base: ModelVersion, dataset: PairDataset, made: ModelVersion) -> Retraining:
    dataset.save(workspace.datasets)
    return Retraining(workspace, base, dataset, made)


def test_an_offline_run_holds_all_of_a_retraining(
    retraining: Retraining, told: Told, capfd: pytest.CaptureFixture[str]
) -> None:
    retraining.done(told)

    (run,) = retraining.runs()
    assert (run.run_id, run.project, run.resumes, run.exit_code) == (RECIPE[:16], "autosort", True, 0)
    assert run.config["training"] == CONFIGURATION.model_dump(mode="json")
    assert run.config["dataset"] == {"fingerprint": retraining.dataset.fingerprint, "pairs": {"train": 1}}
    assert run.config["base"]["version"] == "v1"
    assert run.config["base"] | retraining.base.spec.embedder.model_dump() == run.config["base"]
    assert run.history == [
        {"training/step": 10, "training/loss": 0.7, "training/learning_rate": 1e-4},
        {"training/step": 10, "development/development_mrr": 0.6},
        *({"interpolation/coefficient": c, "interpolation/mean": 0.5 + c / 10} for c in (0.0, 0.5, 1.0)),
    ]
    assert run.axes["development/*"] == run.axes["training/*"] == "training/step"
    assert run.axes["interpolation/*"] == "interpolation/coefficient"
    expected = {
        "version": "v2",
        "artifact": retraining.made.spec.embedder.artifact,
        "model/development_mrr": 0.61,
        "record/chosen_coefficient": 0.5,
        "record/precision": "bf16",
        "live_version": "v1",
        "evaluation/new/top5": 0.8,
        "evaluation/new/unseen_song/top5": 0.9,
        "evaluation/live/unseen_song/top5": 0.8,
    }
    assert {name: pytest.approx(run.summary.get(name)) for name in expected} == expected
    (folder,) = runs_in(retraining.home)
    assert told.lines == [f"Tracked offline; `wandb sync '{folder}'` sends it to Weights & Biases."]
    assert capfd.readouterr() == ("", "")


def test_the_dataset_is_used_and_the_model_made_and_neither_is_copied(retraining: Retraining, told: Told) -> None:
    retraining.done(told)

    (run,) = retraining.runs()
    fingerprint, digest = retraining.dataset.fingerprint, retraining.made.spec.embedder.artifact
    dataset, model = run.artifacts[f"dataset-{fingerprint[:12]}"], run.artifacts["model-v2"]
    assert (dataset.type, dataset.use_after_commit) == ("dataset", True)
    assert (model.type, model.use_after_commit) == ("model", False)
    assert '"clean"' in dataset.metadata
    assert fingerprint in dataset.metadata
    assert digest in model.metadata
    for artifact, folder in ((dataset, retraining.workspace.datasets / fingerprint), (model, _artifact(retraining))):
        files = {each.path: Path(each.local_path) for each in artifact.manifest.contents}
        held = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        assert files == held


def _artifact(retraining: Retraining) -> Path:
    return retraining.workspace.artifacts.verified(retraining.made.spec.embedder.artifact)


def test_nothing_of_the_machine_goes_into_a_run_and_nothing_leaves_the_home(
    retraining: Retraining, told: Told, tmp_path: Path
) -> None:
    retraining.done(told)

    (run,) = retraining.runs()
    assert run.kinds <= {"header", "run", "telemetry", "metric", "summary", "history", "artifact", "exit", "config"}
    (folder,) = runs_in(retraining.home)
    assert list((folder / "files").iterdir()) == []
    assert not (tmp_path / "user").exists()
    assert [name for name in os.environ if name.startswith("WANDB_")] == ["WANDB_BASE_URL"]


def test_a_retraining_that_fails_shows_as_failed_and_its_error_comes_through(
    retraining: Retraining, told: Told
) -> None:
    with pytest.raises(ZeroDivisionError), retraining.begun(told):
        raise ZeroDivisionError

    (run,) = retraining.runs()
    assert run.exit_code == 1
    assert len(run.history) == 2


def test_the_same_retraining_goes_on_under_the_same_id(retraining: Retraining, told: Told) -> None:
    with pytest.raises(KeyboardInterrupt), retraining.begun(told):
        raise KeyboardInterrupt
    retraining.done(told)

    first, second = retraining.runs()
    assert first.run_id == second.run_id == RECIPE[:16]
    assert (first.exit_code, second.exit_code) == (1, 0)


def test_off_means_off(retraining: Retraining, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSORT_TRACKING", "off")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    retraining.done(told)

    monkeypatch.setenv("AUTOSORT_TRACKING", "auto")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    retraining.done(told)

    assert not (retraining.home / "wandb").exists()
    assert told.lines == []


def test_without_wandb_nothing_is_tracked_and_a_key_alone_is_told(
    retraining: Retraining, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "wandb", None)
    retraining.done(told)
    assert told.lines == []

    monkeypatch.setenv("WANDB_API_KEY", KEY)
    retraining.done(told)
    assert len(told.lines) == 1
    assert "autosort-lifecycle[wandb]" in told.lines[0]
    assert not (retraining.home / "wandb").exists()


def test_a_folder_that_cannot_be_written_is_told_once_and_changes_nothing(retraining: Retraining, told: Told) -> None:
    retraining.home.mkdir(exist_ok=True)
    (retraining.home / "wandb").write_text("in the way")

    retraining.done(told)

    assert len(told.lines) == 1
    assert "FileExistsError" in told.lines[0]
    assert "is not tracked" in told.lines[0]


def test_an_artifact_that_cannot_be_read_costs_only_itself(retraining: Retraining, told: Told) -> None:
    (_artifact(retraining) / "model.safetensors").write_bytes(b"changed")

    retraining.done(told)

    (run,) = retraining.runs()
    assert len(run.artifacts) == 1
    assert run.summary["evaluation/new/top5"] == 0.8
    assert len(told.lines) == 2
    assert "DigestMismatch" in told.lines[1]


@pytest.mark.filterwarnings(_LEFT_BEHIND)
def test_a_client_that_dies_on_the_way_is_told_once(retraining: Retraining, told: Told) -> None:
    with retraining.begun(told) as tracking:
        for child in _children("wandb-core"):
            os.kill(child, 9)
            os.waitpid(child, 0)
        tracking.registered(retraining.made)
        tracking.evaluated(_evaluation("v2", 0.8), _evaluation("v1", 0.7))

    assert len(told.lines) == 2
    assert "The retraining goes on" in told.lines[1]
    gc.collect()


def _children(name: str) -> list[int]:
    return [each.pid for each in psutil.Process().children() if each.name() == name]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A W&B of the test's own, and a key for it."""
    with wandb_server() as running:
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "20")
        yield running


def test_with_a_key_the_run_is_sent(
    retraining: Retraining, told: Told, server: WandbServer, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    retraining.done(told)

    _assert_sent(server, retraining)
    assert told.lines == [f"Tracked at {server.url}/me/autosort/runs/{RECIPE[:16]}"]
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "user").exists()
    kept = b"".join(path.read_bytes() for path in (retraining.home / "wandb").rglob("*") if path.is_file())
    assert KEY.encode() not in kept


def test_wandb_sync_sends_what_was_tracked_offline(
    retraining: Retraining, told: Told, server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    retraining.done(told)
    assert server.keys == set()
    monkeypatch.delenv("WANDB_MODE")
    _follow(told.lines[0], tmp_path)

    _assert_sent(server, retraining)


def test_wandb_sync_joins_what_was_interrupted(
    retraining: Retraining, told: Told, server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(KeyboardInterrupt), retraining.begun(told):
        raise KeyboardInterrupt
    retraining.done(told)
    monkeypatch.delenv("WANDB_MODE")

    _follow(f"`wandb sync '{retraining.home / 'wandb'}'`", tmp_path)

    assert list(server.runs) == [RECIPE[:16]]
    assert [row["_step"] for row in server.history.values()] == list(range(2 + 2 + 3))


def _follow(line: str, folder: Path) -> None:
    """Do as a line says, in a folder that may be written to."""
    (command,) = re.findall("`(wandb sync .*)`", line)
    wandb, *arguments = shlex.split(command)
    typed = [str(Path(sys.executable).parent / wandb), *arguments]
    subprocess.run(typed, check=True, capture_output=True, timeout=60, cwd=folder)


def _assert_sent(server: WandbServer, retraining: Retraining) -> None:
    assert list(server.runs) == [RECIPE[:16]]
    losses = [row["training/loss"] for row in server.history.values() if "training/loss" in row]
    assert losses == [0.7]
    name = f"dataset-{retraining.dataset.fingerprint[:12]}"
    assert set(server.artifacts) == {name, "model-v2"}
    assert server.used == [name]
    assert server.artifacts["model-v2"]["runName"] == RECIPE[:16]
    assert server.files["model-v2/model.safetensors"] == b"weights of tuned"
    assert b'"evaluation/new/top5":0.8' in server.files["run/wandb-summary.json"].replace(b" ", b"")


def test_with_a_key_a_retraining_that_was_killed_goes_on_in_its_run(
    retraining: Retraining, told: Told, server: WandbServer
) -> None:
    with pytest.raises(KeyboardInterrupt), retraining.begun(told):
        raise KeyboardInterrupt
    before = len(server.history)
    retraining.done(told)

    assert server.resumed == [False, True]
    assert list(server.runs) == [RECIPE[:16]]
    assert len(server.history) == before + 2 + 3


@pytest.mark.parametrize("problem", ["unreachable", "refused", "silent", "no key at all"])
def test_a_server_that_does_not_take_the_run_is_told_and_the_run_is_kept_offline(
    retraining: Retraining, told: Told, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short" if problem == "no key at all" else KEY)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    with wandb_server(accepts=False) as server:
        server.pause = 60 if problem == "silent" else 0
        if problem != "unreachable":
            monkeypatch.setenv("WANDB_BASE_URL", server.url)
        retraining.done(told)

    (line,) = told.lines
    assert re.match(r"Weights & Biases: (CommError|AuthenticationError): .*\. Tracked offline; `wandb sync ", line)
    assert "\n" not in line
    assert KEY not in line
    kept = [read_run(folder) for folder in runs_in(retraining.home) if folder.name.startswith("offline")]
    assert [run.summary["evaluation/new/top5"] for run in kept] == [0.8]


@pytest.mark.filterwarnings(_LEFT_BEHIND)
def test_what_cannot_be_sent_in_time_is_told_and_can_be_sent_later(
    retraining: Retraining, told: Told, server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")
    with retraining.begun(told):
        server.pause = 60
    gc.collect()

    assert len(told.lines) == 2
    assert "TimeoutError: " in told.lines[1]
    assert server.history == {}
    server.pause = 0
    _follow(told.lines[1], tmp_path)
    assert [row["training/step"] for row in server.history.values()] == [10, 10]


def test_what_is_not_trained_is_not_tracked(retraining: Retraining, told: Told) -> None:
    parts = (retraining.workspace, retraining.base, retraining.dataset, CONFIGURATION, RECIPE, told)
    with tracked(*parts, wanted=False) as tracking:
        tracking.registered(retraining.made)

    assert not (retraining.home / "wandb").exists()


def test_a_retraining_is_tracked_as_it_goes(trained: Workspace, trained_template: RegistrySettings) -> None:
    with trained.database.transaction() as connection:
        version = versions.get(connection, "v2")
        training = version.spec.training
        assert training is not None
        reports = {
            role: versions.find_evaluation(connection, name, training.dataset)
            for role, name in {"new": "v2", "live": "v1"}.items()
        }

    (run,) = [read_run(folder) for folder in runs_in(trained_template.home)]

    logged = [row["training/step"] for row in run.history if "training/loss" in row]
    assert logged == [entry["step"] for entry in training.record["history"] if "loss" in entry]
    assert [row for row in run.history if "development/development_mean" in row]
    coefficients = [row["interpolation/coefficient"] for row in run.history if "interpolation/coefficient" in row]
    assert coefficients == [point["coefficient"] for point in training.record["interpolation"]]
    assert set(run.artifacts) == {f"dataset-{training.dataset[:12]}", "model-v2"}
    for role, report in reports.items():
        assert report is not None
        for regime, figures in report["regimes"].items():
            assert run.summary[f"evaluation/{role}/{regime}/top5"] == figures["top5"]
    assert (run.run_id, run.exit_code) == ((version.recipe or "")[:16], 0)
