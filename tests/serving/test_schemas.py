"""What one request may hold, beside what is looked at field by field."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from serving.http.emotions import EmotionsRequest, PredictRequest
from serving.http.openai import EmbeddingsRequest
from serving.http.rerank import RerankRequest
from serving.http.tei import TokenizeRequest
from serving.schemas import EmbedRequest, MatchRequest

LONG = "a" * 20_000


@pytest.mark.parametrize(
    ("form", "body", "more"),
    [
        (EmbedRequest, {"inputs": [LONG] * 100}, {"inputs": [LONG] * 100 + ["a"]}),
        (EmbeddingsRequest, {"input": [LONG] * 100}, {"input": [LONG] * 100 + ["a"]}),
        (TokenizeRequest, {"inputs": [LONG] * 10}, {"inputs": [LONG] * 10 + ["a"]}),
        (EmotionsRequest, {"texts": [LONG] * 100}, {"texts": [LONG] * 100 + ["a"]}),
        (PredictRequest, {"inputs": [[LONG]] * 100}, {"inputs": [[LONG]] * 100 + [["a"]]}),
        (
            RerankRequest,
            {"query": "a" * 10_000, "texts": [LONG[:10_000]] * 100},
            {"query": "a" * 10_000, "texts": [LONG[:10_000]] * 101},
        ),
        (
            MatchRequest,
            {"songs": [{"title": "a", "description": LONG[1:]}] * 100},
            {"songs": [{"title": "ab", "description": LONG[1:]}] * 100},
        ),
    ],
)
def test_texts_that_are_too_long_in_all_are_refused(
    form: type[BaseModel], body: dict[str, Any], more: dict[str, Any]
) -> None:
    form.model_validate(body)
    with pytest.raises(ValidationError, match="characters in all") as refused:
        form.model_validate(more)
    assert "aaaa" not in refused.value.errors()[0]["msg"]
