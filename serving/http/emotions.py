"""Emotions of songs and texts: the app's own endpoint, and that of text-embeddings-inference's clients."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from registry.errors import BadInput, ModelUnavailable
from registry.records import Playlist, Song
from registry.texts import render_feeling
from serving.http.abandonment import unless_abandoned
from serving.http.dependencies import Held, service_of
from serving.http.openapi import shown
from serving.http.replies import json_reply
from serving.inference.emotions import EmotionModel, Felt
from serving.matching.matcher import Answering
from serving.schemas import MOST_TEXTS, SongRequest, Text, require_room

router = APIRouter()

_TOP = 3


class EmotionsRequest(BaseModel):
    """Songs, as /match takes them, or texts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"texts": ["I never saw the sea again, and I miss it."]},
                {"songs": [{"title": "En dröm för två", "description": "A quiet song about a harbour at night."}]},
            ]
        },
    )

    songs: Annotated[list[SongRequest], Field(min_length=1, max_length=256)] | None = None
    texts: Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)] | None = None

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if (self.songs is None) == (self.texts is None):
            raise ValueError("needs either songs or texts")
        return self

    @model_validator(mode="after")
    def _is_not_too_long(self) -> Self:
        require_room(sum(map(len, self.texts or ())) + sum(each.length for each in self.songs or ()))
        return self


class Prediction(BaseModel):
    """A label and its score, from 0 to 1; raw, it is the log-odds."""

    label: str
    score: float


class Emotions(BaseModel):
    """What is felt in a text: the label with the highest score, the first three, those that hold, and all scores.

    Each label holds or not by itself, from a threshold of its own on: none may, or several.
    """

    dominant: Prediction
    top: list[Prediction]
    labels: list[str]
    scores: dict[str, float]


class EmotionsResponse(BaseModel):
    """All results, in the order of the request, by the version that gave them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "v2",
                    "generation": 7,
                    "results": [
                        {
                            "dominant": {"label": "sadness", "score": 0.81},
                            "top": [{"label": "sadness", "score": 0.81}, {"label": "love", "score": 0.12}],
                            "labels": ["sadness"],
                            "scores": {"sadness": 0.81, "love": 0.12},
                        }
                    ],
                }
            ]
        }
    )

    model_version: str
    generation: int
    results: list[Emotions]


OneText = Annotated[list[Text], Field(min_length=1, max_length=1)]


class PredictRequest(BaseModel):
    """A text, or a batch in which each text stands in a list of its own, as TEI takes them.

    Two texts side by side would be a pair, which no emotion model reads. Texts longer than the model's limit are cut,
    or refused without `truncate`.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"inputs": "I never saw the sea again."}, {"inputs": [["Rain."], ["Sun."]]}]}
    )

    inputs: Text | OneText | Annotated[list[OneText], Field(min_length=1, max_length=MOST_TEXTS)]
    raw_scores: StrictBool = False
    truncate: StrictBool = True

    @property
    def texts(self) -> list[str]:
        if isinstance(self.inputs, str):
            return [self.inputs]
        return [each if isinstance(each, str) else each[0] for each in self.inputs]

    @model_validator(mode="after")
    def _is_not_too_long(self) -> Self:
        require_room(sum(map(len, self.texts)))
        return self

    @property
    def is_batch(self) -> bool:
        """Whether the answer is a list for each text."""
        return not isinstance(self.inputs, str) and not isinstance(self.inputs[0], str)


@router.post("/emotions", response_model=EmotionsResponse, tags=["Auto-Sort"])
async def emotions(body: EmotionsRequest, request: Request, answering: Held) -> Response:
    """The emotions of songs or texts."""
    texts = body.texts or await _song_texts(request, answering, body.songs or [])
    felt = await _feel(request, answering, texts)
    return json_reply(
        {
            "model_version": answering.version.version,
            "generation": answering.generation,
            "results": [_emotions(felt, row) for row in felt.scores],
        }
    )


@router.post(
    "/predict",
    response_model=list[Prediction] | list[list[Prediction]],
    tags=["Text Embeddings Inference"],
    responses=shown([{"label": "sadness", "score": 0.81}, {"label": "love", "score": 0.12}]),
)
async def predict(body: PredictRequest, request: Request, answering: Held) -> Response:
    """All labels of texts with their scores, the highest first."""
    felt = await _feel(request, answering, body.texts, whole=not body.truncate)
    rows = [_ranked(felt, row) for row in (felt.logits if body.raw_scores else felt.scores)]
    return json_reply(rows if body.is_batch else rows[0])


async def _song_texts(request: Request, answering: Answering, songs: Sequence[SongRequest]) -> list[str]:
    """What is read of songs.

    Raises:
        NotFound, DatabaseUnavailable: as for matches.
    """
    asked = await service_of(request).requested.look_up(answering, songs)
    spec = answering.version.spec.emotions
    return [render_feeling(song, spec.text_template) if spec else "" for song in asked.songs]


async def felt_in(
    request: Request, answering: Answering, about: Sequence[Song | Playlist]
) -> list[dict[str, Any] | None]:
    """What is felt in songs or playlists; nothing if the version has no emotion model, or it cannot be loaded.

    Raises:
        Overloaded, InferenceFailed, ClientGone: as for vectors.
    """
    spec = answering.version.spec.emotions
    if spec is None:
        return [None] * len(about)
    try:
        felt = await _feel(request, answering, [render_feeling(each, spec.text_template) for each in about])
    except ModelUnavailable:
        return [None] * len(about)
    return [_emotions(felt, row) for row in felt.scores]


async def _feel(request: Request, answering: Answering, texts: Sequence[str], *, whole: bool = False) -> Felt:
    """What the version's emotion model says of texts, once it is loaded; with `whole`, of none that is cut.

    Raises:
        Refused: the version has no emotion model.
        ModelUnavailable: it cannot be loaded.
        BadInput: a text would have to be cut.
        Overloaded, InferenceFailed, ClientGone: as for vectors.
    """
    service = service_of(request)
    served = await unless_abandoned(request, service.emotions.of(answering.version).begin())
    if whole:
        await run_in_threadpool(_require_whole, served.model, texts)
    felt = await unless_abandoned(request, await run_in_threadpool(served.submit, texts))
    service.predicted.note(answering.version.version, felt)
    return felt


def _emotions(felt: Felt, scores: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of numbers
    ranked = _ranked(felt, scores)
    return {
        "dominant": ranked[0],
        "top": ranked[:_TOP],
        "labels": [each["label"] for each in ranked if each["score"] >= _threshold(felt, each["label"])],
        "scores": dict(zip(felt.spec.labels, scores, strict=True)),
    }


def _ranked(felt: Felt, values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    order = np.argsort(-values, kind="stable")
    return [{"label": felt.spec.labels[place], "score": values[place]} for place in order]


def _threshold(felt: Felt, label: str) -> np.float32:
    return np.float32(felt.spec.thresholds[felt.spec.labels.index(label)])


def _require_whole(model: EmotionModel, texts: Sequence[str]) -> None:
    """Raise `BadInput` if a text is longer than the model reads."""
    for number, size in enumerate(model.sizes(texts)):
        if size > model.spec.max_length:
            raise BadInput(
                f"Text {number} (counted from 0) has {size} tokens; the model reads {model.spec.max_length}.",
                'Shorten it, or send "truncate": true to have it cut.',
            )
