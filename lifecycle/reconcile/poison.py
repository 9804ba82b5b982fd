"""Finding the texts that a model cannot embed, so that the others can go on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from registry.errors import EncoderBroken
from registry.vectors.records import Matrix

if TYPE_CHECKING:
    from serving.inference.encoder import Encoder
    from serving.inference.waiting import Tokens

Reasons = dict[int, str]
"""Why rows cannot be embedded."""

_LEAST_LENGTH = 0.5
_LONGEST_REASON = 500


def unusable_rows(encoder: "Encoder", vectors: Matrix) -> Reasons:
    """Rows that are no unit vectors, which a model gives when it overflows.

    Raises:
        EncoderBroken: it is not the text, since the model gives none at all.
    """
    rows = _without_length(vectors)
    if rows:
        _require_working(encoder)
    return dict.fromkeys(rows, "the model gives no finite vector of length 1")


def tokenize_apart(encoder: "Encoder", texts: Sequence[str]) -> tuple[list[list[int]], Reasons]:
    """Tokens of each text by itself; none, and a reason, for those that cannot be cut into tokens.

    Raises:
        EncoderBroken: it is not the text, since nothing can be cut into tokens or embedded.
    """
    tokens: list[list[int]] = []
    reasons: Reasons = {}
    for row, text in enumerate(texts):
        try:
            tokens += encoder.tokenize([text], encoder.spec.song_prompt)
        except Exception as error:  # noqa: BLE001 - whatever a tokenizer throws at one text must not stop the others
            tokens.append([])
            reasons[row] = _reason(error)
    if reasons:
        _require_working(encoder)
    return tokens, reasons


def embed_halves(encoder: "Encoder", tokens: Sequence["Tokens"], error: Exception) -> tuple[Matrix, Reasons]:
    """Vectors of a batch that failed with `error`: halved until the texts at fault stand alone, each with its reason.

    Raises:
        EncoderBroken: it is not the text, since the model embeds nothing at all.
    """
    if len(tokens) == 1:
        _require_working(encoder)
        return np.zeros((1, encoder.spec.dimensions), np.float32), {0: _reason(error)}
    middle = len(tokens) // 2
    left, left_reasons = embed_batch(encoder, tokens[:middle])
    right, right_reasons = embed_batch(encoder, tokens[middle:])
    return np.concatenate([left, right]), left_reasons | {row + middle: why for row, why in right_reasons.items()}


def embed_batch(encoder: "Encoder", tokens: Sequence["Tokens"]) -> tuple[Matrix, Reasons]:
    """Vectors of a batch, shape (n, dimensions), and why rows of it have none.

    Raises:
        EncoderBroken: the model embeds nothing at all.
    """
    try:
        vectors = encoder.forward(tokens)
    except Exception as error:  # noqa: BLE001 - whatever a model throws at one text must not stop the others
        return embed_halves(encoder, tokens, error)
    return vectors, unusable_rows(encoder, vectors)


def _without_length(vectors: Matrix) -> list[int]:
    bad = ~np.isfinite(vectors).all(axis=1) | (np.linalg.norm(vectors, axis=1) < _LEAST_LENGTH)
    return [int(row) for row in np.flatnonzero(bad)]


def _require_working(encoder: "Encoder") -> None:
    try:
        working = not _without_length(encoder.forward(encoder.tokenize(["warm-up"])))
    except Exception as error:
        raise EncoderBroken(
            f"The model embeds nothing at all: {_reason(error)}.",
            "No song was set aside for it. See that the device is well and has memory, then run the same again.",
        ) from error
    if not working:
        raise EncoderBroken(
            "The model gives no finite vector of length 1 even for plain words.",
            "No song was set aside for it. Retire this version, or look at how it was trained.",
        )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
