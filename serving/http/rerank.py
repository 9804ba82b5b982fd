"""Reranking for clients of Hugging Face's text-embeddings-inference, of Cohere and of Jina.

The reranker was trained with a playlist's text as the query and songs' texts as what may fit it.
"""

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from registry.errors import BadInput
from serving.http.abandonment import unless_abandoned
from serving.http.dependencies import Held, named
from serving.http.openapi import shown
from serving.http.replies import json_reply
from serving.inference.reranker import Pair, Read, Reranker, ServedReranker
from serving.matching.matcher import Answering
from serving.matching.reranking import reranker_of
from serving.schemas import MOST_TEXTS, Text, require_room

router = APIRouter(tags=["Reranking"])


class RerankRequest(BaseModel):
    """A query and texts to be ordered by how well they fit it, as TEI takes them.

    Pairs longer than the model's limit are cut where the longer text ends, or refused without `truncate`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"query": "quiet songs for the way home", "texts": ["A harbour at night.", "Loud guitars."]}]
        }
    )

    query: Text
    texts: Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)]
    raw_scores: StrictBool = False
    return_text: StrictBool = False
    truncate: StrictBool = True

    @model_validator(mode="after")
    def _is_not_too_long(self) -> Self:
        _require_room(self.query, self.texts)
        return self


class Rank(BaseModel):
    """A text by its place in the request, and how well it fits: from 0 to 1, or as the model gives it (raw)."""

    index: int
    score: float
    text: str | None = None


class Document(BaseModel):
    """A text."""

    text: Text


class DocumentsRequest(BaseModel):
    """A query and documents, as clients of Cohere and Jina send them.

    `model` may name a version ("v2"); any other name is the one that answers anyway.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "live",
                    "query": "quiet songs for the way home",
                    "documents": ["A harbour at night.", "Loud guitars."],
                }
            ]
        }
    )

    model: Annotated[str, Field(max_length=200)] = "live"
    query: Text
    documents: Annotated[list[Text | Document], Field(min_length=1, max_length=MOST_TEXTS)]
    top_n: Annotated[StrictInt, Field(ge=1)] | None = None
    return_documents: StrictBool = False

    @property
    def texts(self) -> list[str]:
        return [each if isinstance(each, str) else each.text for each in self.documents]

    @model_validator(mode="after")
    def _is_not_too_long(self) -> Self:
        _require_room(self.query, self.texts)
        return self


class Result(BaseModel):
    """A document by its place in the request, and how well it fits, from 0 to 1."""

    index: int
    relevance_score: float
    document: Document | None = None


class Usage(BaseModel):
    """Tokens that were read, the query's once for each document."""

    total_tokens: int


class Units(BaseModel):
    """One search, as Cohere counts."""

    search_units: int


class Meta(BaseModel):
    """What Cohere's clients look for."""

    billed_units: Units


class DocumentsResponse(BaseModel):
    """The documents, those that fit best first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0f8c7a52-2f0b-4a3f-9a51-3f6b6f1f0d11",
                    "object": "list",
                    "model": "v2",
                    "results": [{"index": 0, "relevance_score": 0.91}],
                    "usage": {"total_tokens": 31},
                    "meta": {"billed_units": {"search_units": 1}},
                }
            ]
        }
    )

    id: str
    object: str
    model: str
    results: list[Result]
    usage: Usage
    meta: Meta


def _require_room(query: str, texts: Sequence[str]) -> None:
    """Raise `ValueError` for more than is meant to be read: the query counts with each text."""
    require_room(len(query) * len(texts) + sum(map(len, texts)))


@router.post("/rerank", response_model=list[Rank], responses=shown([{"index": 0, "score": 0.91}]))
async def rerank(body: RerankRequest, request: Request, answering: Held) -> Response:
    """Texts by how well they fit a query."""
    read = await _read(request, answering, body.query, body.texts, whole=not body.truncate)
    scores = read.logits if body.raw_scores else read.relevance
    return json_reply(
        [
            {"index": index, "score": scores[index], **({"text": body.texts[index]} if body.return_text else {})}
            for index in _order(read)
        ]
    )


@router.post("/v1/rerank", response_model=DocumentsResponse)
@router.post("/v2/rerank", response_model=DocumentsResponse)
async def rerank_documents(body: DocumentsRequest, request: Request, answering: Held) -> Response:
    """Documents by how well they fit a query."""
    answering = await named(request, answering, body.model)
    texts = body.texts
    read = await _read(request, answering, body.query, texts)
    relevance = read.relevance
    results = [
        {
            "index": index,
            "relevance_score": relevance[index],
            **({"document": {"text": texts[index]}} if body.return_documents else {}),
        }
        for index in _order(read)[: body.top_n]
    ]
    return json_reply(
        {
            "id": str(uuid4()),
            "object": "list",
            "model": answering.version.version,
            "results": results,
            "usage": {"total_tokens": read.tokens},
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        }
    )


async def _read(
    request: Request, answering: Answering, query: str, texts: Sequence[str], *, whole: bool = False
) -> Read:
    """What the version's reranker says of texts beside a query, once it is loaded; with `whole`, of none that is cut.

    Raises:
        Refused: the version has no reranker.
        ModelUnavailable: its reranker cannot be loaded.
        BadInput: a pair would have to be cut.
        Overloaded, InferenceFailed, ClientGone: as for vectors.
    """
    served = await unless_abandoned(request, reranker_of(answering).begin())
    assert isinstance(served, ServedReranker)  # noqa: S101 - the service makes no others
    pairs = [(query, text) for text in texts]
    if whole:
        await run_in_threadpool(_require_whole, served.reranker, pairs)
    return await unless_abandoned(request, await run_in_threadpool(served.submit, pairs))


def _order(read: Read) -> list[int]:
    order: npt.NDArray[np.intp] = np.argsort(-read.logits, kind="stable")
    return [int(each) for each in order]


def _require_whole(reranker: Reranker, pairs: Sequence[Pair]) -> None:
    """Raise `BadInput` if a pair is longer than the model reads."""
    for number, size in enumerate(reranker.sizes(pairs)):
        if size > reranker.spec.max_length:
            raise BadInput(
                f"Query and text {number} (counted from 0) have {size} tokens; the model reads "
                f"{reranker.spec.max_length}.",
                'Shorten them, or send "truncate": true to have them cut.',
            )
