"""Without padding a model gives what the library's own forward pass gives, or is not used."""

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from serving.inference.packed import compiled, token_vectors
from serving.inference.unpadded import Unpadded, UnpaddedClassifier

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 120,
    "max_position_embeddings": 80,
    "type_vocab_size": 2,
}
TEXTS = [[5, 9, 7], [11], [5, 6, 7, 8, 9, 10, 11, 12] * 8, [40, 41, 42, 43]]


def model_of(family: str) -> Any:
    torch.manual_seed(1)
    if family == "bert":
        model: Any = BertModel(BertConfig(**SHAPE))
    elif family == "roberta":
        model = RobertaModel(RobertaConfig(**SHAPE, pad_token_id=1))
    else:
        model = XLMRobertaModel(XLMRobertaConfig(**SHAPE, pad_token_id=1))
    return model.eval()


def by_library(model: Any, types: list[list[int]] | None = None) -> list[torch.Tensor]:
    """Each text by itself: then the library has nothing to pad either."""
    with torch.inference_mode():
        return [
            model(
                input_ids=torch.tensor([text]), token_type_ids=torch.tensor([types[row]]) if types else None
            ).last_hidden_state[0]
            for row, text in enumerate(TEXTS)
        ]


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("parts", [False, True])
def test_it_gives_the_librarys_vectors(family: str, parts: bool) -> None:
    model = model_of(family)
    types = [[place % 2 for place in range(len(text))] for text in TEXTS] if parts else None
    expected = by_library(model, types)
    made = Unpadded.of(model)
    assert made is not None
    with torch.inference_mode():
        vectors = made(TEXTS, types)
    for mine, theirs in zip(vectors, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [BertForSequenceClassification, XLMRobertaForSequenceClassification])
def test_a_classifier_gives_the_librarys_logits(kind: Any) -> None:
    torch.manual_seed(2)
    model = kind(kind.config_class(**SHAPE, pad_token_id=1, num_labels=5)).eval()
    types = [[place % 2 for place in range(len(text))] for text in TEXTS]
    made = UnpaddedClassifier.of(model)
    assert made is not None
    with torch.inference_mode():
        logits = made(TEXTS, types)
        for mine, text, parts in zip(logits, TEXTS, types, strict=True):
            theirs = model(input_ids=torch.tensor([text]), token_type_ids=torch.tensor([parts])).logits[0]
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_the_librarys_own_pass_goes_on_with_the_weights_that_are_shared() -> None:
    model = model_of("bert")
    before = by_library(model)
    made = Unpadded.of(model)
    assert made is not None
    for mine, theirs in zip(by_library(model), before, strict=True):
        torch.testing.assert_close(mine, theirs)
    query = model.encoder.layer[0].attention.self.query.weight
    assert query.untyped_storage().data_ptr() == made._weights.layers[0].asked_weight.untyped_storage().data_ptr()


def test_a_model_of_another_shape_is_left_to_the_library() -> None:
    config = DistilBertConfig(dim=32, n_layers=1, n_heads=4, hidden_dim=64, vocab_size=120)
    assert Unpadded.of(DistilBertModel(config)) is None
    assert Unpadded.of(BertModel(BertConfig(**SHAPE, hidden_act="gelu_new"))) is None


def test_it_is_compiled_and_gives_the_same_where_torch_cannot_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Unpadded.of(model_of("bert"))
    assert made is not None
    compiled.cache_clear()
    assert isinstance(compiled(token_vectors), torch.jit.ScriptFunction)
    with torch.inference_mode():
        quick = made(TEXTS)
        monkeypatch.delattr(torch.jit, "script")
        compiled.cache_clear()
        assert compiled(token_vectors) is token_vectors
        for one, other in zip(quick, made(TEXTS), strict=True):
            torch.testing.assert_close(one, other)
    compiled.cache_clear()


def test_one_that_would_give_something_else_is_left_to_the_library(caplog: pytest.LogCaptureFixture) -> None:
    model = model_of("roberta")
    model.config.pad_token_id = 5  # positions would begin elsewhere
    assert Unpadded.of(model) is None
    assert "library's own" in caplog.text


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("parts", [False, True])
def test_the_first_tokens_vectors_are_the_same_without_the_others(family: str, parts: bool) -> None:
    made = Unpadded.of(model_of(family))
    assert made is not None
    types = [[place % 2 for place in range(len(text))] for text in TEXTS] if parts else None
    with torch.inference_mode():
        expected = torch.stack([each[0] for each in made(TEXTS, types)])
        torch.testing.assert_close(made.first(TEXTS, types), expected, atol=1e-5, rtol=1e-5)
