"""Emotion models belong to versions: shared where they are the same, let go with the versions that had them."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from registry.emotions import Cell, Predicted
from registry.errors import Refused
from registry.stages import Stage
from registry.versions import EmbedderSpec, EmotionsSpec, MatchSpec, ModelSpec, ModelVersion, SignalWeights, Version
from serving.inference.emotions import EmotionModel, Felt, ServedEmotions
from serving.inference.scheduler import Scheduler
from serving.versions.held_emotions import HeldEmotions
from serving.versions.predicted import PredictedEmotions


def emotions_of(artifact: str) -> EmotionsSpec:
    return EmotionsSpec(
        artifact=artifact * 64,
        base_model="m",
        base_revision="1",
        max_length=64,
        labels=("fear", "joy"),
        thresholds=(0.25, 0.75),
    )


def version_of(name: str, artifact: str | None) -> ModelVersion:
    embedder = EmbedderSpec(artifact="e" * 64, base_model="m", base_revision="1", dimensions=8, max_length=64)
    matching = MatchSpec(weights={"default": SignalWeights(semantic=1, acoustic=0)}, signals={}, features={})
    emotions = emotions_of(artifact) if artifact else None
    spec = ModelSpec(embedder=embedder, text_template=2, matching=matching, emotions=emotions)
    return ModelVersion(Version(name), Stage.READY, spec, None, datetime.now(UTC))


class _Loads:
    """Counts what is loaded: models that are never asked anything."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, spec: EmotionsSpec) -> ServedEmotions:
        self.loaded.append(spec.artifact[0])
        return ServedEmotions(EmotionModel.__new__(EmotionModel), Scheduler.__new__(Scheduler))


def test_versions_with_the_same_model_share_it() -> None:
    loads, versions = _Loads(), [version_of("v1", "a"), version_of("v2", "a"), version_of("v3", "b")]
    held = HeldEmotions(loads, lambda: versions)
    models = [held.of(version).wait() for version in versions]
    assert models[0] is models[1]
    assert models[0] is not models[2]
    assert loads.loaded == ["a", "b"]


def test_models_of_versions_that_are_gone_are_let_go() -> None:
    loads, versions = _Loads(), [version_of("v1", "a"), version_of("v2", "b"), version_of("v3", "c")]
    held = HeldEmotions(loads, lambda: versions[1:])
    for version in (*versions, versions[1], versions[0]):
        held.of(version).wait()
    assert loads.loaded == ["a", "b", "c", "a"]


def test_a_version_without_one_says_so() -> None:
    with pytest.raises(Refused, match=r"v1 has no emotion model.*autosort retrain"):
        HeldEmotions(_Loads(), list).of(version_of("v1", None))


def test_predictions_are_counted_at_each_labels_own_threshold() -> None:
    counts, spec = PredictedEmotions(), emotions_of("a")
    even, high = np.log(np.array([[0.25, 0.7], [0.2, 0.8]]) / (1 - np.array([[0.25, 0.7], [0.2, 0.8]])))
    counts.note("v1", Felt(spec, np.array([even, high], np.float32), 4))
    counts.note("v1", Felt(spec, np.array([high], np.float32), 2))
    drained = counts.drain()
    fear, joy = drained[Cell("v1", "fear")], drained[Cell("v1", "joy")]
    assert (fear.texts, joy.texts, joy.held) == (3, 3, 2)
    assert fear.score == pytest.approx(0.65, abs=1e-5)
    assert joy.score == pytest.approx(2.3, abs=1e-5)
    assert not counts.drain()
    counts.give_back(drained)
    counts.give_back({Cell("v1", "joy"): Predicted(1, 1, 0.5)})
    assert counts.drain()[Cell("v1", "joy")] == replace(joy, texts=4, held=3, score=joy.score + 0.5)
