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
from torch.nn.functional import linear, scaled_dot_product_attention

from serving.inference.waiting import Tokens

_log = logging.getLogger(__name__)

_FAMILIES = {"bert", "roberta", "xlm-roberta"}
_TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""By how much the two may differ, relative to their length: by the rounding of their type."""

Module = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Layer:
    """One layer of the model; queries, keys and values are asked for together."""

    asked_weight: torch.Tensor
    asked_bias: torch.Tensor
    attended: Module
    attended_norm: Module
    inner: Module
    activation: Module
    outer: Module
    outer_norm: Module

    @classmethod
    def of(cls, layer: Any) -> "_Layer":  # noqa: ANN401 - a module of the library
        weight, bias = _joined(layer.attention.self)
        attended = layer.attention.output
        return cls(
            weight,
            bias,
            attended.dense,
            attended.LayerNorm,
            layer.intermediate.dense,
            layer.intermediate.intermediate_act_fn,
            layer.output.dense,
            layer.output.LayerNorm,
        )

    def passed(self, seen: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """The layer's output for tokens, from what they see of others and what came in."""
        attended = self.attended_norm(self.attended(seen) + vectors)
        return self.outer_norm(self.outer(self.activation(self.inner(attended))) + attended)


class Unpadded:
    """Token vectors of texts by a model of the library, whose weights it shares."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - a model of the library
        config = model.config
        self._embeddings = model.embeddings
        self._heads: int = config.num_attention_heads
        self._first_position: int = 0 if config.model_type == "bert" else config.pad_token_id + 1
        self._layers = [_Layer.of(each) for each in model.encoder.layer]

    @classmethod
    def of(cls, model: Any) -> "Unpadded | None":  # noqa: ANN401
        """The same model without padding; None if it is of another shape, or gives anything else than the library's."""
        if getattr(model.config, "model_type", None) not in _FAMILIES or model.config.is_decoder:
            return None
        if model.device.type != "cpu":
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
        lengths = [len(each) for each in tokens]
        vectors = self._embedded(tokens, types, lengths)
        for layer in self._layers:
            vectors = layer.passed(self._attention(layer, vectors, lengths), vectors)
        return list(torch.split_with_sizes(vectors, lengths))

    def first(self, tokens: Sequence[Tokens], types: Sequence[Tokens] | None = None) -> torch.Tensor:
        """The vectors of each text's first token, shape (len(tokens), hidden size): what a classifier looks at.

        Of the last layer nothing else is computed.
        """
        lengths = [len(each) for each in tokens]
        vectors = self._embedded(tokens, types, lengths)
        for layer in self._layers[:-1]:
            vectors = layer.passed(self._attention(layer, vectors, lengths), vectors)
        return self._last_of_first(vectors, lengths)

    def _embedded(
        self, tokens: Sequence[Tokens], types: Sequence[Tokens] | None, lengths: Sequence[int]
    ) -> torch.Tensor:
        ids = _row(chain.from_iterable(tokens))
        positions = _row(chain.from_iterable(range(self._first_position, self._first_position + n) for n in lengths))
        parts = torch.zeros_like(ids) if types is None else _row(chain.from_iterable(types))
        embedded: torch.Tensor = self._embeddings(input_ids=ids, position_ids=positions, token_type_ids=parts)
        return embedded[0]

    def _attention(self, layer: _Layer, vectors: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        asked = linear(vectors, layer.asked_weight, layer.asked_bias)
        return torch.cat([self._attended(part) for part in torch.split_with_sizes(asked, list(lengths))])

    def _last_of_first(self, vectors: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        layer, width = self._layers[-1], vectors.shape[1]
        first = vectors[torch.tensor([0, *lengths[:-1]]).cumsum(0)]
        queries = linear(first, layer.asked_weight[:width], layer.asked_bias[:width])
        others = linear(vectors, layer.asked_weight[width:], layer.asked_bias[width:])
        texts = zip(queries, torch.split_with_sizes(others, lengths), strict=True)
        return layer.passed(torch.stack([self._seen_by(*each) for each in texts]), first)

    def _seen_by(self, query: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """What one token sees of its text's tokens, shape (hidden size)."""
        key, value = others.view(len(others), 2, self._heads, -1).permute(1, 2, 0, 3)
        return scaled_dot_product_attention(query.view(1, self._heads, 1, -1), key[None], value[None]).reshape(-1)

    def _attended(self, asked: torch.Tensor) -> torch.Tensor:
        """What one text's tokens see of one another, shape (tokens, hidden size)."""
        count, width = len(asked), asked.shape[1] // 3
        query, key, value = asked.view(count, 3, self._heads, width // self._heads).permute(1, 2, 0, 3)
        seen = scaled_dot_product_attention(query[None], key[None], value[None])
        return seen[0].transpose(0, 1).reshape(count, width)


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


def _joined(attention: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
    """Weights and bias of queries, keys and values in one; the library's own become views of these."""
    parts = (attention.query, attention.key, attention.value)
    weight = torch.cat([each.weight.detach() for each in parts])
    bias = torch.cat([each.bias.detach() for each in parts])
    for part, own_weight, own_bias in zip(parts, weight.chunk(3), bias.chunk(3), strict=True):
        part.weight.data, part.bias.data = own_weight, own_bias
    return weight, bias


def _row(numbers: Any) -> torch.Tensor:  # noqa: ANN401 - an iterable of integers
    return torch.from_numpy(np.fromiter(numbers, np.int64))[None]


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
