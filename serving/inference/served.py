"""An encoder as requests use it: its cache asked first, its forward passes shared with other requests."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from registry.versions import EmbedderSpec
from serving.inference.cache import Known, VectorCache
from serving.inference.encoder import Encoder
from serving.inference.futures import then
from serving.inference.scheduler import Scheduler
from serving.inference.waiting import Matrix

_CACHED_BYTES = 64 * 2**20


class TextEncoder(Protocol):
    """What matching needs of an encoder."""

    @property
    def spec(self) -> EmbedderSpec:
        """What the version says of its model."""

    def songs(self, texts: Sequence[str]) -> Matrix:
        """Vectors of songs' texts, shape (len(texts), dimensions)."""

    def playlists(self, texts: Sequence[str]) -> Matrix:
        """Vectors of playlists' texts, shape (len(texts), dimensions)."""


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, shape (n, dimensions), and how many tokens the texts have in all, prompts included."""

    vectors: Matrix
    tokens: int


class _Pooling:
    """An encoder whose vectors are left as they are pooled."""

    def __init__(self, encoder: Encoder) -> None:
        self.batch_tokens = encoder.batch_tokens
        self.forward = encoder.pool


class ServedEncoder:
    """Texts to unit vectors of one version, float32; any number of threads.

    Attributes:
        encoder: the model itself.
        cache: what it gave before.
    """

    def __init__(self, encoder: Encoder, scheduler: Scheduler) -> None:
        self.encoder = encoder
        self.cache = VectorCache(_CACHED_BYTES // (4 * encoder.spec.dimensions))
        self._scheduler = scheduler
        self._pooling = _Pooling(encoder)

    @property
    def spec(self) -> EmbedderSpec:
        return self.encoder.spec

    def songs(self, texts: Sequence[str]) -> Matrix:
        """Vectors of songs' texts, shape (len(texts), dimensions).

        Raises:
            Overloaded: they would have to wait for too long.
            InferenceFailed: the model failed on one.
        """
        return self.submit(texts, self.spec.song_prompt).result().vectors

    def playlists(self, texts: Sequence[str]) -> Matrix:
        """Vectors of playlists' texts, with the model's instruction before each; shape (len(texts), dimensions).

        Raises:
            Overloaded, InferenceFailed: as for songs.
        """
        return self.submit(texts, self.spec.playlist_prompt).result().vectors

    def pool(self, texts: Sequence[str], prompt: str = "") -> "Future[Embedded]":
        """Vectors as the model's pooling gives them, not of length 1; they are not remembered.

        Raises:
            Overloaded: they would have to wait for too long.
        """
        tokens = self.encoder.tokenize(texts, prompt)
        size = sum(map(len, tokens))
        return then(self._scheduler.submit(self._pooling, tokens), lambda rows: Embedded(rows, size))

    def submit(self, texts: Sequence[str], prompt: str = "") -> "Future[Embedded]":
        """The same, without waiting, of texts that have a prompt before each.

        Raises:
            Overloaded: they would have to wait for too long.
        """
        known = self.cache.find(prompt, texts)
        unknown = [row for row, each in enumerate(known) if each is None]
        told = [texts[row] for row in unknown]
        tokens = self.encoder.tokenize(told, prompt) if told else []

        def whole(rows: Matrix) -> Embedded:
            # Copies: a row by itself would keep all of its batch in memory.
            computed = [Known(row.copy(), len(each)) for row, each in zip(rows, tokens, strict=True)]
            self.cache.keep(prompt, told, computed)
            for row, each in zip(unknown, computed, strict=True):
                known[row] = each
            return _together([each for each in known if each is not None], self.spec.dimensions)

        return then(self._scheduler.submit(self.encoder, tokens), whole)


def _together(known: Sequence[Known], dimensions: int) -> Embedded:
    vectors = np.stack([each.vector for each in known]) if known else np.zeros((0, dimensions), np.float32)
    return Embedded(vectors, sum(each.tokens for each in known))
