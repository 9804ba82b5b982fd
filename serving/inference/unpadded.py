"""The forward pass of BERT-shaped models on a CPU, without padding.

The library pads the texts of a batch to the longest, masks what was added, and asks for queries, keys and values one
after the other. Here the tokens of all texts lie in one matrix: each multiplication is as large as it can be, and
none is for nothing; only attention, which is a small part of the work, looks at one text after the other. At the sizes
of batches that a service forms this takes a fifth less time (docs/experiments.md).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch

from serving.inference.packed import Embeddings, Layer, Packed, compiled, first_vectors, token_vectors
from serving.inference.waiting import Tokens

_log = logging.getLogger(__name__)

_FAMILIES = {"bert", "roberta", "xlm-roberta"}
_TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""By how much the two may differ, relative to their length: by the rounding of their type."""


@dataclass(frozen=True)
class _Weights:
    """A model's weights as the pass takes them."""

    tables: Embeddings
    layers: list[Layer]
    heads: int
    eps: float

    @classmethod
    def of(cls, model: Any) -> "_Weights":  # noqa: ANN401 - a model of the library
        given = model.embeddings
        tables = Embeddings(
            given.word_embeddings.weight,
            given.position_embeddings.weight,
            given.token_type_embeddings.weight,
            *_own(given.LayerNorm),
        )
        layers = [_layer(each) for each in model.encoder.layer]
        return cls(tables, layers, model.config.num_attention_heads, model.config.layer_norm_eps)


class Unpadded:
    """Token vectors of texts by a model of the library, whose weights it shares."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - a model of the library
        config = model.config
        self._weights = _Weights.of(model)
        self._first_position: int = 0 if config.model_type == "bert" else config.pad_token_id + 1

    @classmethod
    def of(cls, model: Any) -> "Unpadded | None":  # noqa: ANN401
        """The same model without padding; None if it is of another shape, or gives anything else than the library's."""
        if getattr(model.config, "model_type", None) not in _FAMILIES or model.config.is_decoder:
            return None
        if model.device.type != "cpu" or model.config.hidden_act != "gelu":
            return None
        unpadded = cls(model)
        if not _agree(model, unpadded):
            _log.warning("A model gives other vectors without padding: the library's own forward pass is used")
            return None
        return unpadded

    def __call__(self, tokens: Sequence[Tokens], types: Sequence[Tokens] | None = None) -> list[torch.Tensor]:
        """The last layer's vectors of each text's tokens: shapes (len(tokens[i]), hidden size).

        Args:
            types: the token's part in a pair of texts, 0 or 1; 0 where nothing is told.
        """
        texts = self._packed(tokens, types)
        return list(torch.split_with_sizes(self._passed(token_vectors, texts), texts.lengths))

    def first(self, tokens: Sequence[Tokens], types: Sequence[Tokens] | None = None) -> torch.Tensor:
        """The vectors of each text's first token, shape (len(tokens), hidden size): what a classifier looks at."""
        return self._passed(first_vectors, self._packed(tokens, types))

    def _passed(self, function: Callable[..., torch.Tensor], texts: Packed) -> torch.Tensor:
        weights = self._weights
        passed: torch.Tensor = compiled(function)(texts, weights.tables, weights.layers, weights.heads, weights.eps)
        return passed

    def _packed(self, tokens: Sequence[Tokens], types: Sequence[Tokens] | None) -> Packed:
        lengths = [len(each) for each in tokens]
        ids = _row(chain.from_iterable(tokens))
        positions = _row(chain.from_iterable(range(self._first_position, self._first_position + n) for n in lengths))
        parts = torch.zeros_like(ids) if types is None else _row(chain.from_iterable(types))
        return Packed(ids, positions, parts, lengths)


class UnpaddedClassifier:
    """Numbers of texts, or of pairs of texts, by a classifier of the library, whose weights it shares."""

    def __init__(self, model: Any, encoder: Unpadded) -> None:  # noqa: ANN401 - a model of the library
        self._encoder = encoder
        self._head = model.classifier
        self._pooler = getattr(model.base_model, "pooler", None)

    @classmethod
    def of(cls, model: Any) -> "UnpaddedClassifier | None":  # noqa: ANN401
        """The same model without padding; None as for its encoder."""
        encoder = Unpadded.of(model.base_model)
        return cls(model, encoder) if encoder else None

    def __call__(self, tokens: Sequence[Tokens], types: Sequence[Tokens] | None = None) -> torch.Tensor:
        """Logits, shape (len(tokens), labels)."""
        first = self._encoder.first(tokens, types)[:, None]  # both heads there are look at that alone
        logits: torch.Tensor = self._head(first if self._pooler is None else self._pooler(first))
        return logits


def _layer(layer: Any) -> Layer:  # noqa: ANN401 - a module of the library
    attended, inner, outer = layer.attention.output, layer.intermediate.dense, layer.output
    return Layer(
        *_joined(layer.attention.self),
        *_own(attended.dense),
        *_own(attended.LayerNorm),
        *_own(inner),
        *_own(outer.dense),
        *_own(outer.LayerNorm),
    )


def _own(module: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
    return module.weight, module.bias


def _joined(attention: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
    """Weights and bias of queries, keys and values in one; the library's own become views of these."""
    parts = (attention.query, attention.key, attention.value)
    weight = torch.cat([each.weight.detach() for each in parts])
    bias = torch.cat([each.bias.detach() for each in parts])
    for part, own_weight, own_bias in zip(parts, weight.chunk(3), bias.chunk(3), strict=True):
        part.weight.data, part.bias.data = own_weight, own_bias
    return weight, bias


def _row(numbers: Any) -> torch.Tensor:  # noqa: ANN401 - an iterable of integers
    return torch.from_numpy(np.fromiter(numbers, np.int64))


def _agree(model: Any, unpadded: Unpadded) -> bool:  # noqa: ANN401
    """Whether both give the same vectors of a few texts of different lengths."""
    chance = np.random.default_rng(0)
    pad, longest = model.config.pad_token_id or 0, 21
    tokens = [[int(each) for each in chance.integers(pad + 1, model.config.vocab_size, n)] for n in (1, longest, 9)]
    mask = torch.tensor([[int(place < len(each)) for place in range(longest)] for each in tokens])
    padded = torch.tensor([[*each, *[pad] * (longest - len(each))] for each in tokens])
    with torch.inference_mode():
        expected = model(input_ids=padded, attention_mask=mask).last_hidden_state
        pairs = [(mine, row[: len(mine)]) for mine, row in zip(unpadded(tokens), expected, strict=True)]
    largest = max(float((mine - row).float().norm() / row.float().norm()) for mine, row in pairs)
    return largest <= _TOLERANCES[expected.dtype]
