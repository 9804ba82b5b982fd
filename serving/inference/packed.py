"""The forward pass of BERT-shaped models over the tokens of many texts laid end to end, as functions of tensors.

They are compiled with TorchScript, which takes the interpreter's lock once for a pass: operation by operation it is
taken a hundred times, and each time waited for while another thread runs Python. PyTorch calls TorchScript deprecated
and has nothing else yet that needs no C++ compiler at run time; without it the same functions run as they are, slower.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeVar

import torch
from torch.nn.functional import embedding, gelu, layer_norm, linear, scaled_dot_product_attention

Function = TypeVar("Function", bound=Callable[..., torch.Tensor])


class Embeddings(NamedTuple):
    """What tokens, their places and their parts are looked up in, and the norm of the sum."""

    tokens: torch.Tensor
    positions: torch.Tensor
    parts: torch.Tensor
    norm_weight: torch.Tensor
    norm_bias: torch.Tensor


class Layer(NamedTuple):
    """One layer's weights; queries, keys and values are asked for together."""

    asked_weight: torch.Tensor
    asked_bias: torch.Tensor
    attended_weight: torch.Tensor
    attended_bias: torch.Tensor
    attended_norm_weight: torch.Tensor
    attended_norm_bias: torch.Tensor
    inner_weight: torch.Tensor
    inner_bias: torch.Tensor
    outer_weight: torch.Tensor
    outer_bias: torch.Tensor
    outer_norm_weight: torch.Tensor
    outer_norm_bias: torch.Tensor


class Packed(NamedTuple):
    """Texts laid end to end: ids, positions and parts of all their tokens, shape (tokens,); the length of each text."""

    ids: torch.Tensor
    positions: torch.Tensor
    parts: torch.Tensor
    lengths: list[int]


def embedded(texts: Packed, tables: Embeddings, eps: float) -> torch.Tensor:
    """What goes into the first layer, shape (tokens, hidden size)."""
    summed = embedding(texts.ids, tables.tokens) + embedding(texts.parts, tables.parts)
    summed = summed + embedding(texts.positions, tables.positions)
    return layer_norm(summed, [summed.size(1)], tables.norm_weight, tables.norm_bias, eps)


def seen_of_others(vectors: torch.Tensor, layer: Layer, lengths: list[int], heads: int) -> torch.Tensor:
    """What each token sees of its own text's tokens, shape (tokens, hidden size)."""
    width = vectors.size(1)
    seen: list[torch.Tensor] = []
    for asked in torch.split_with_sizes(linear(vectors, layer.asked_weight, layer.asked_bias), lengths):
        each = asked.view(asked.size(0), 3, heads, width // heads).permute(1, 2, 0, 3).unsqueeze(1)
        attended = scaled_dot_product_attention(each[0], each[1], each[2])
        seen.append(attended[0].transpose(0, 1).reshape(asked.size(0), width))
    return torch.cat(seen)


def seen_by_first(vectors: torch.Tensor, layer: Layer, lengths: list[int], heads: int) -> list[torch.Tensor]:
    """Of each text's first token what came in and what it sees of the others, shapes (texts, hidden size)."""
    width = vectors.size(1)
    first = torch.stack([each[0] for each in torch.split_with_sizes(vectors, lengths)])
    queries = linear(first, layer.asked_weight[:width], layer.asked_bias[:width])
    others = linear(vectors, layer.asked_weight[width:], layer.asked_bias[width:])
    seen: list[torch.Tensor] = []
    for row, other in enumerate(torch.split_with_sizes(others, lengths)):
        each = other.view(other.size(0), 2, heads, width // heads).permute(1, 2, 0, 3).unsqueeze(1)
        query = queries[row].view(1, heads, 1, width // heads)
        seen.append(scaled_dot_product_attention(query, each[0], each[1]).reshape(width))
    return [first, torch.stack(seen)]


def passed_on(seen: torch.Tensor, vectors: torch.Tensor, layer: Layer, eps: float) -> torch.Tensor:
    """A layer's output for tokens, from what they see of others and what came in."""
    width = [vectors.size(1)]
    attended = linear(seen, layer.attended_weight, layer.attended_bias) + vectors
    attended = layer_norm(attended, width, layer.attended_norm_weight, layer.attended_norm_bias, eps)
    inner = gelu(linear(attended, layer.inner_weight, layer.inner_bias))
    outer = linear(inner, layer.outer_weight, layer.outer_bias) + attended
    return layer_norm(outer, width, layer.outer_norm_weight, layer.outer_norm_bias, eps)


def token_vectors(texts: Packed, tables: Embeddings, layers: list[Layer], heads: int, eps: float) -> torch.Tensor:
    """The last layer's vectors of all tokens, shape (tokens, hidden size)."""
    vectors = embedded(texts, tables, eps)
    for layer in layers:
        vectors = passed_on(seen_of_others(vectors, layer, texts.lengths, heads), vectors, layer, eps)
    return vectors


def first_vectors(texts: Packed, tables: Embeddings, layers: list[Layer], heads: int, eps: float) -> torch.Tensor:
    """The last layer's vectors of each text's first token, shape (texts, hidden size), and of that layer no others."""
    vectors = token_vectors(texts, tables, layers[:-1], heads, eps)
    first = seen_by_first(vectors, layers[-1], texts.lengths, heads)
    return passed_on(first[1], first[0], layers[-1], eps)


@cache
def compiled(function: Function) -> Function:
    """One of these functions, compiled where this PyTorch still can."""
    script = getattr(torch.jit, "script", None)
    if script is None:
        return function
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made: Function = script(function)
    return made
