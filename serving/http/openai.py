"""The endpoints that OpenAI's clients speak: embeddings, and the models there are."""

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from starlette.responses import Response

from registry.errors import BadInput
from serving.http.dependencies import Held, encoder_of, named, service_of
from serving.http.embedding import embed
from serving.http.replies import json_reply
from serving.inference.waiting import Matrix
from serving.matching.matcher import Answering
from serving.schemas import PromptName, Texts

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class EmbeddingsRequest(BaseModel):
    """Texts to embed, as OpenAI's clients send them.

    `model` may name a version ("v2"); any other name is the one that answers anyway. `prompt_name` "query" puts the
    version's instruction for playlists before each text.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input": ["a slow song about a harbour at night"], "model": "live"}]}
    )

    input: Texts
    model: Annotated[str, Field(max_length=200)] = "live"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[StrictInt, Field(ge=1)] | None = None
    user: Annotated[str, Field(max_length=200)] | None = None
    prompt_name: PromptName = None


class Embedding(BaseModel):
    """One text's vector, or its little-endian float32 bytes in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of the texts, prompts included."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """A vector for each text, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "model": "v2",
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.021, -0.034, 0.057]}],
                    "usage": {"prompt_tokens": 10, "total_tokens": 10},
                }
            ]
        }
    )

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: Usage


class Model(BaseModel):
    """A version that can answer at once."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelsResponse(BaseModel):
    """The versions that this server holds ready."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "data": [{"id": "v2", "object": "model", "created": 1_790_000_000, "owned_by": "autosort"}],
                }
            ]
        }
    )

    object: Literal["list"] = "list"
    data: list[Model]


@router.post("/embeddings", response_model=EmbeddingsResponse)
async def embeddings(body: EmbeddingsRequest, request: Request, answering: Held) -> Response:
    """Vectors of texts."""
    answering = await named(request, answering, body.model)
    encoder = encoder_of(answering)
    texts = [body.input] if isinstance(body.input, str) else body.input
    prompt = encoder.spec.prompt(body.prompt_name)
    embedded = await embed(request, encoder, texts, prompt)
    vectors = embedded.vectors
    if body.dimensions is not None:
        vectors = _cut(vectors, body.dimensions, answering)
    data = [
        {"object": "embedding", "index": row, "embedding": _encoded(vector, body.encoding_format)}
        for row, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    return json_reply({"object": "list", "model": answering.version.version, "data": data, "usage": usage})


@router.get("/models")
async def models(request: Request, _: Held) -> ModelsResponse:
    """The versions that this server holds ready."""
    return ModelsResponse(
        data=[
            Model(id=each.version.version, created=int(each.version.registered_at.timestamp()), owned_by="autosort")
            for each in service_of(request).slot.held
        ]
    )


def _encoded(vector: Any, form: str) -> Any:  # noqa: ANN401
    return vector if form == "float" else base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _cut(vectors: Matrix, dimensions: int, answering: Answering) -> Matrix:
    """The leading dimensions, of length 1 again, if the version was trained to work with so many.

    Raises:
        BadInput: it was not.
    """
    whole = vectors.shape[1]
    trained = answering.version.spec.matryoshka
    if dimensions != whole and dimensions not in trained:
        offered = ", ".join(map(str, sorted({*trained, whole})))
        raise BadInput(f"{answering.version.version} has no vectors of {dimensions} dimensions.", f"It has: {offered}.")
    leading = vectors[:, :dimensions]
    return np.ascontiguousarray(leading / np.linalg.norm(leading, axis=1, keepdims=True))
