"""Immutable model versions: what decides an answer, registered once and never changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NewType, Self

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, model_validator

from registry.database import Connection
from registry.errors import NotFound
from registry.queries import load_queries
from registry.stages import Stage, check_move

Version = NewType("Version", str)

_SQL = load_queries("versions")

EMOTION = "emotion"
"""The signal for which matching asks the version's emotion model."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbedderSpec(_Part):
    """The embedding model.

    Attributes:
        artifact: SHA-256 digest (hex) of its folder in the artifact store.
        base_model: hub id or package of the model it was made from.
        base_revision: pinned revision of that model.
        dimensions: length of its vectors.
        max_length: tokens after which texts are cut.
        playlist_prompt: instruction put before a playlist's text.
        song_prompt: instruction put before a song's text.
    """

    artifact: str
    base_model: str
    base_revision: str
    dimensions: int
    max_length: int
    playlist_prompt: str = ""
    song_prompt: str = ""

    def prompt(self, name: str | None) -> str:
        """The instruction of that name: "query" is that for playlists, anything else that for songs."""
        return self.playlist_prompt if name == "query" else self.song_prompt


class Scale(_Part):
    """Mean and standard deviation that bring a quantity to a common scale."""

    mean: float
    spread: float


class SignalWeights(_Part):
    """How much of a match's score is semantic and how much acoustic; they add up to 1."""

    semantic: float
    acoustic: float


class SoundScale(_Part):
    """How an audio feature is distributed, so that it can be told in normal scores.

    Attributes:
        values: of the feature, ascending, none twice; empty if no song has it.
        scores: standard normal quantiles of these values; what lies between two is interpolated.
        within: standard deviation of the scores within a playlist.
    """

    values: tuple[float, ...]
    scores: tuple[float, ...]
    within: float


class EmotionScale(_Part):
    """How the log-odds of one emotion are distributed over songs.

    Attributes:
        label: as the emotion model calls it.
    """

    label: str
    mean: float
    spread: float


class LearnedWeights(_Part):
    """How much each signal counts, in logits to a standard deviation of it, as learned from songs of known playlists.

    Attributes:
        known: by signal, for playlists that are known by songs too.
        by_text: by signal, for playlists that are known by their text alone.
        by_text_offset: logits by which these are ahead of the others, to begin with.
        type_influence: exponent of what the playlist's type says, against the default type; 0 leaves types out.
    """

    known: dict[str, float]
    by_text: dict[str, float]
    by_text_offset: float = 0.0
    type_influence: float = 0.0


class Belonging(_Part):
    """How likely a song is to belong in the playlist that comes first, and when that is too little.

    Attributes:
        weights: by what is known of the first playlist (`serving.matching.belonging`).
        offset: the logit where all of that is 0.
        threshold: probability below which no playlist fits.
    """

    weights: dict[str, float]
    offset: float
    threshold: float


class MatchSpec(_Part):
    """How a version matches.

    Attributes:
        weights: heuristics by playlist type; "default" is for playlists of no recognised type.
        signals: those it matches by, with the scale of each over pairs that do not belong together.
        features: scale of each audio feature over the catalogue the version was made on.
        sounds: how they are distributed; empty: a playlist's sound is the mean of its songs', without a spread.
        emotions: the scale of each emotion, in the order of the emotion model's scores; empty: it matches by none.
        text_template: of the texts that are compared word by word.
        learned: what takes the place of the heuristics.
        belonging: when no playlist fits; None: it cannot be told.
    """

    weights: dict[str, SignalWeights]
    signals: dict[str, Scale]
    features: dict[str, Scale]
    sounds: dict[str, SoundScale] = {}
    emotions: tuple[EmotionScale, ...] = ()
    text_template: int = 2
    learned: LearnedWeights | None = None
    belonging: Belonging | None = None


class TrainingSpec(_Part):
    """Where a fine-tuned version comes from.

    Attributes:
        parent: the version it was fine-tuned from.
        dataset: fingerprint of its dataset.
        configuration: every value of the training configuration.
        code_revision: the toolkit's version that trained it.
        metrics: what the training itself measured, on the development splits.
        record: what the training wrote down of itself: its curve of losses, the interpolation, the titles left out.
        gate: the gate's rules as they were when the training began, so that nobody fits them to its outcome.
    """

    parent: str
    dataset: str
    configuration: dict[str, Any]
    code_revision: str
    metrics: dict[str, float]
    record: dict[str, Any] = {}
    gate: dict[str, Any] = {}


class RerankerSpec(_Part):
    """A cross-encoder that reads playlist and song together.

    Attributes:
        artifact: SHA-256 digest (hex) of its folder in the artifact store.
        base_model: hub id, package or version of the model it was made from.
        max_length: tokens after which a pair of texts is cut.
        weight: how much a logit of it counts beside the score; None: it alone orders what it has read.
    """

    artifact: str
    base_model: str
    max_length: int
    weight: float | None = None


class EmotionsSpec(_Part):
    """A classifier of texts by emotions, of which any number may hold at once.

    Attributes:
        artifact: SHA-256 digest (hex) of its folder in the artifact store.
        base_model: hub id or package of the model it was made from.
        base_revision: pinned revision of that model.
        max_length: tokens after which texts are cut.
        labels: in the order of its scores.
        thresholds: of each label: from that score on it holds.
        rates: of each label: of what share of texts that it was not trained on it holds; empty if not known.
        text_template: what of a song is read.
    """

    artifact: str
    base_model: str
    base_revision: str
    max_length: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    rates: tuple[float, ...] = ()
    text_template: int = 1

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if len(self.thresholds) != len(self.labels) or len(self.rates) not in {0, len(self.labels)}:
            raise ValueError("needs a threshold for each label, and a rate for each or none")
        return self


class ModelSpec(_Part):
    """Everything about a version that decides its answers, so that everything rolls back together."""

    embedder: EmbedderSpec
    text_template: int
    matching: MatchSpec
    training: TrainingSpec | None = None
    reranker: RerankerSpec | None = None
    emotions: EmotionsSpec | None = None

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Digests of all models of the version, each once."""
        parts = (self.embedder, self.reranker, self.emotions)
        return tuple(dict.fromkeys(part.artifact for part in parts if part is not None))

    @property
    def matched_emotions(self) -> EmotionsSpec | None:
        """The emotion model that matching asks; None if the version matches by no emotions."""
        return self.emotions if EMOTION in self.matching.signals else None

    @property
    def matryoshka(self) -> tuple[int, ...]:
        """Numbers of leading dimensions that the embedder was trained to work with by themselves."""
        return tuple(self.training.configuration.get("matryoshka", ())) if self.training else ()


@dataclass(frozen=True)
class ModelVersion:
    """A registered model version and the stage it is in."""

    version: Version
    stage: Stage
    spec: ModelSpec
    recipe: str | None
    registered_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ModelVersion":
        return cls(
            version=Version(row["version"]),
            stage=Stage(row["stage"]),
            spec=ModelSpec.model_validate(row["spec"]),
            recipe=row["recipe"],
            registered_at=row["registered_at"],
        )


def register(connection: Connection, spec: ModelSpec, *, recipe: str, actor: str) -> ModelVersion:
    """Register the next version, with its audit row.

    Args:
        recipe: digest of all that the version was made from; a second version of one recipe is refused.

    Raises:
        Refused: the recipe is registered already.
    """
    connection.execute(_SQL["lock_numbers"])
    parameters = {"spec": Jsonb(spec.model_dump(mode="json")), "recipe": recipe, "actor": actor}
    return ModelVersion.from_row(_one(connection, "register", parameters))


def get(connection: Connection, version: str) -> ModelVersion:
    """The version of that name.

    Raises:
        NotFound: there is none; the message lists those there are.
    """
    row = connection.execute(_SQL["get"], {"version": version}).fetchone()
    if row is None:
        known = ", ".join(each.version for each in list_all(connection)) or "none; run `autosort retrain`"
        raise NotFound(f"There is no model version {version!r}.", f"Registered: {known}.")
    return ModelVersion.from_row(row)


def find_recipe(connection: Connection, recipe: str) -> ModelVersion | None:
    """The version that was made by this recipe, if it is registered."""
    row = connection.execute(_SQL["find_recipe"], {"recipe": recipe}).fetchone()
    return ModelVersion.from_row(row) if row else None


def list_all(connection: Connection) -> list[ModelVersion]:
    """All versions, oldest first."""
    return [ModelVersion.from_row(row) for row in connection.execute(_SQL["list_all"])]


def lock(connection: Connection, version: str) -> Stage:
    """The stage of a version, which nobody else changes until the transaction ends."""
    return lock_later(connection, version)()


def lock_later(connection: Connection, version: str) -> Callable[[], Stage]:
    """The same in a pipeline: what is returned waits for the answer and gives the stage."""
    cursor = connection.execute(_SQL["lock_stage"], {"version": version})
    return lambda: Stage(_only(cursor.fetchone(), version)["stage"])


def move(connection: Connection, version: str, target: Stage) -> None:
    """Move a version to another stage; its row stays locked until the transaction ends.

    Raises:
        IllegalMove: the table of stages does not allow it.
    """
    check_move(version, lock(connection, version), target)
    set_stage(connection, version, target)


def set_stage(connection: Connection, version: str, stage: Stage) -> None:
    """Write a version's stage down; whoever calls this has locked and checked it."""
    connection.execute(_SQL["set_stage"], {"version": version, "stage": stage})


def save_evaluation(
    connection: Connection, version: str, dataset: str, report: Mapping[str, Any], outcomes: Mapping[str, Any]
) -> None:
    """Keep the report of a version on a dataset's test split, and what came of each query; later ones replace them."""
    parts = {"report": Jsonb(report), "outcomes": Jsonb(outcomes)}
    connection.execute(_SQL["save_evaluation"], {"version": version, "dataset": dataset, **parts})


def find_evaluation(connection: Connection, version: str, dataset: str) -> dict[str, Any] | None:
    """The report of a version on a dataset's test split, if there is one."""
    row = connection.execute(_SQL["find_evaluation"], {"version": version, "dataset": dataset}).fetchone()
    return dict(row["report"]) if row else None


def list_evaluations(connection: Connection, version: str) -> list[tuple[str, dict[str, Any]]]:
    """All reports of a version with the fingerprints of their datasets, newest first."""
    rows = connection.execute(_SQL["list_evaluations"], {"version": version})
    return [(row["dataset"], dict(row["report"])) for row in rows]


def find_outcomes(connection: Connection, version: str, dataset: str) -> dict[str, Any] | None:
    """What came of each query of a version on a dataset's test split; None if that is not known."""
    row = connection.execute(_SQL["find_outcomes"], {"version": version, "dataset": dataset}).fetchone()
    return dict(row["outcomes"]) if row and row["outcomes"] else None


def _one(connection: Connection, query: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return _only(connection.execute(_SQL[query], parameters).fetchone(), parameters.get("version"))


def _only(row: dict[str, Any] | None, version: str | None) -> dict[str, Any]:
    if row is None:
        raise NotFound(f"There is no model version {version!r}.", "See `autosort status`.")
    return row
