"""Vectors that were computed before. One cache belongs to one encoder, so no vector ever reaches another version."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """A text's vector, and how many tokens the text has."""

    vector: Vector
    tokens: int


class VectorCache:
    """The vectors used last, by the digest of prompt and text. Threads may share it.

    Attributes:
        hits, misses: texts looked up so far.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: OrderedDict[bytes, Known] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def find(self, prompt: str, texts: Sequence[str]) -> list[Known | None]:
        """What is known of each text; None for what was not computed lately."""
        keys = [_key(prompt, text) for text in texts]
        with self._lock:
            found = [self._vectors.get(key) for key in keys]
            for key, known in zip(keys, found, strict=True):
                if known is not None:
                    self._vectors.move_to_end(key)
            hits = sum(known is not None for known in found)
            self.hits += hits
            self.misses += len(keys) - hits
        return found

    def keep(self, prompt: str, texts: Sequence[str], computed: Sequence[Known]) -> None:
        """Remember vectors; those not used for longest make room."""
        with self._lock:
            for text, known in zip(texts, computed, strict=True):
                self._vectors[_key(prompt, text)] = known
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)


def _key(prompt: str, text: str) -> bytes:
    digest = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(b"\0")
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()
