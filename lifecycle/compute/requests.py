"""What is asked of a machine far away, and what it answers, as values that travel."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from registry.versions import EmbedderSpec
from training.configuration import TrainingConfiguration


class TrainingRequest(BaseModel):
    """One training.

    Attributes:
        run: names it; the same request has the same name, and is trained once.
        embedder: the base model, whose artifact is to be there.
        dataset: fingerprint of the dataset, which is to be there.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    embedder: EmbedderSpec
    dataset: str
    configuration: TrainingConfiguration


class TrainingOutcome(BaseModel):
    """What came of it; the model and the dataset's vectors in its space wait to be fetched.

    Attributes:
        artifact: digest of the model; `reranker` of the cross-encoder, if one was trained.
        metrics, record: as `FineTuned` has them.
        seconds: for which containers worked on it, those that were taken away included.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    artifact: str
    reranker: str | None
    metrics: dict[str, float]
    record: dict[str, Any]
    seconds: float


class Answer(BaseModel):
    """An outcome; or why there is none, which is the same however often it is asked for: the fact and its remedy."""

    model_config = ConfigDict(frozen=True)

    outcome: TrainingOutcome | None = None
    refused: tuple[str, str] | None = None


class TrainingStanding(BaseModel):
    """How far a training is, as of its last checkpoint: steps, and what was measured at which of them."""

    model_config = ConfigDict(frozen=True)

    step: int = 0
    steps: int = 0
    figures: list[tuple[int, dict[str, float]]] = []
    seconds: dict[str, float] = {}
    """By attempt, for how long it worked until then."""


STANDING, OUTCOME, VECTORS = "standing.json", "outcome.json", "vectors.npz"
"""Files of a training's run."""
