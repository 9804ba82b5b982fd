"""Embedding in bulk: as many batches at once as there are cores, each core at its own.

On a CPU two threads that share every multiplication wait for one another all the time; two that each take a batch of
their own do a fifth more. A GPU takes one large batch after the other.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import torch

from serving.inference.encoder import Encoder
from serving.inference.waiting import Matrix, Tokens


class EncodingLanes:
    """Batches to vectors, in the background. A context: at its end what was not begun is given up.

    Attributes:
        count: batches at once.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._threads = torch.get_num_threads()
        self.count = self._threads if encoder.device == "cpu" else 1
        self._pool = ThreadPoolExecutor(self.count, "encoding", initializer=self._take_one_core)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        # What a lane sets for itself also holds for the library that multiplies, and outlasts the lane.
        torch.set_num_threads(self._threads)

    def submit(self, tokens: Sequence[Tokens]) -> Future[Matrix]:
        """Embed one batch; the vectors have shape (len(tokens), dimensions)."""
        return self._pool.submit(self._encoder.forward, tokens)

    def _take_one_core(self) -> None:
        if self.count > 1:
            torch.set_num_threads(1)
