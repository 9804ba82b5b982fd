"""The endpoints that clients of Hugging Face's text-embeddings-inference speak."""

from importlib.metadata import version
from typing import Any, Literal, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, StrictBool, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from registry.errors import BadInput
from serving.http.dependencies import Held, encoder_of
from serving.http.embedding import embed
from serving.http.openapi import shown
from serving.http.replies import json_reply
from serving.inference.encoder import Encoder
from serving.schemas import MOST_TEXTS, EmbedRequest, PromptName, Texts

router = APIRouter(tags=["Text Embeddings Inference"])


_MOST_TOKENIZED = 200_000
"""Characters of a request that are cut into tokens: the answer holds a hundred bytes and more for each token."""


class TokenizeRequest(BaseModel):
    """Texts to be cut into tokens."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": "Rain on the window"}]})

    inputs: Texts
    add_special_tokens: StrictBool = True
    prompt_name: PromptName = None

    @property
    def texts(self) -> list[str]:
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs

    @model_validator(mode="after")
    def _are_not_too_long(self) -> Self:
        length = sum(map(len, self.texts))
        if length > _MOST_TOKENIZED:
            raise ValueError(f"the texts have {length} characters in all; {_MOST_TOKENIZED} is the most")
        return self


class Token(BaseModel):
    """A token, and from and to which character of the text it goes; one that the model adds has no place."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class EmbeddingKind(BaseModel):
    """How a text's vector is made of its tokens' vectors."""

    pooling: Literal["mean"] = "mean"


class ModelKind(BaseModel):
    """What the model is for."""

    embedding: EmbeddingKind = EmbeddingKind()


class InfoResponse(BaseModel):
    """The model that answers, and what it takes; `model_sha` is the digest of its files."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_id": "autosort/v2",
                    "model_sha": "9f2c" * 16,
                    "model_dtype": "bfloat16",
                    "model_type": {"embedding": {"pooling": "mean"}},
                    "max_input_length": 256,
                    "max_batch_tokens": 1024,
                    "max_client_batch_size": MOST_TEXTS,
                    "auto_truncate": True,
                    "version": "0.1.0",
                }
            ]
        }
    )

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: ModelKind = ModelKind()
    max_input_length: int
    max_batch_tokens: int
    max_client_batch_size: int = MOST_TEXTS
    auto_truncate: bool = True
    version: str


@router.post("/embed", response_model=list[list[float]], responses=shown([[0.021, -0.034, 0.057]]))
async def embed_texts(body: EmbedRequest, request: Request, answering: Held) -> Response:
    """Vectors of texts."""
    encoder = encoder_of(answering)
    prompt = encoder.spec.prompt(body.prompt_name)
    if not body.truncate:
        await run_in_threadpool(_require_whole, encoder.encoder, body.texts, prompt)
    embedded = await embed(request, encoder, body.texts, prompt, normalize=body.normalize)
    return json_reply(embedded.vectors)


@router.post(
    "/tokenize",
    response_model=list[list[Token]],
    responses=shown([[{"id": 4542, "text": "rain", "special": False, "start": 0, "stop": 4}]]),
)
def tokenize(body: TokenizeRequest, answering: Held) -> Response:
    """The tokens of texts, prompts included."""
    encoder = encoder_of(answering)
    prompt = encoder.spec.prompt(body.prompt_name)
    pieces = encoder.encoder.pieces(body.texts, prompt, special=body.add_special_tokens)
    return json_reply(pieces)


@router.get("/info")
async def info(answering: Held) -> InfoResponse:
    """The model that answers."""
    served = encoder_of(answering)
    return InfoResponse(
        model_id=f"autosort/{answering.version.version}",
        model_sha=served.spec.artifact,
        model_dtype=_DTYPES[served.encoder.precision],
        max_input_length=served.spec.max_length,
        max_batch_tokens=served.encoder.batch_tokens,
        version=version("autosort-lifecycle"),
    )


_DTYPES: dict[str, Any] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def _require_whole(encoder: Encoder, texts: list[str], prompt: str) -> None:
    """Raise `BadInput` if a text is longer than the model reads."""
    for number, pieces in enumerate(encoder.pieces(texts, prompt)):
        if len(pieces) > encoder.spec.max_length:
            raise BadInput(
                f"Text {number} (counted from 0) has {len(pieces)} tokens; the model reads {encoder.spec.max_length}.",
                'Shorten it, or send "truncate": true to have it cut.',
            )
