"""A version's model on Modal, from here: texts there, vectors back, in as many containers as there is work for."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.compute.metering import Spend, unbilled
from lifecycle.compute.remote import ModalApp, translated
from lifecycle.compute.shipping import bring_embedder
from lifecycle.progress import Progress
from lifecycle.settings import LifecycleSettings
from lifecycle.workspace import Workspace
from registry.errors import AutosortError, ComputeError, ComputeUnavailable, EncoderBroken
from registry.vectors.records import Matrix
from registry.versions import EmbedderSpec

WORTH_SENDING = 500
"""Songs from which on it pays to start containers."""

_LONGEST_REASON = 500

Call = Callable[..., Any]
"""Calls one of the methods of `container.Model` there, by its name."""


@dataclass(frozen=True)
class FarEmbedded:
    """Vectors of texts, shape (n, dimensions), 0 for those that cannot be embedded, and why."""

    vectors: Matrix
    reasons: dict[int, str]


class FarEmbedding:
    """One version's model.

    Args:
        call: reaches it; from many threads at once.
        count: calls at once.
        spend: told what each of them worked for.
    """

    def __init__(self, call: Call, embedder: EmbedderSpec, *, count: int, spend: Spend = unbilled) -> None:
        self._call = call
        self._spend = spend
        self._embedder = embedder
        self._precision = "fp32"
        self._threads = ThreadPoolExecutor(count, "far-embedding")
        self.count = count

    def try_precision(self, texts: Sequence[str]) -> str:
        """The fastest precision that its device offers, if a trial on texts shows that it holds; else fp32."""
        return str(self._call("settle", list(texts)))

    def settle(self, precision: str) -> None:
        """Embed in this precision from now on."""
        self._precision = precision

    def submit(self, texts: Sequence[str]) -> Future[FarEmbedded]:
        """Vectors of songs' texts, when they are there."""
        return self._threads.submit(self._embed, list(texts), self._embedder.song_prompt)

    def playlists(self, texts: Sequence[str]) -> Matrix:
        """Vectors of playlists' texts, shape (n, dimensions).

        Raises:
            EncoderBroken: some cannot be embedded.
        """
        found = self._embed(list(texts), self._embedder.playlist_prompt)
        if found.reasons:
            raise EncoderBroken(
                f"A playlist cannot be embedded: {next(iter(found.reasons.values()))}.", "Change its text."
            )
        return found.vectors

    def close(self) -> None:
        """Give up what was not begun."""
        self._threads.shutdown(cancel_futures=True)

    def _embed(self, texts: list[str], prompt: str) -> FarEmbedded:
        """Vectors of texts; where containers die of them they are halved until those at fault stand alone."""
        try:
            return self._answered(self._call("embed", texts, prompt, self._precision), len(texts))
        except ComputeUnavailable:
            raise
        except ComputeError as error:
            if len(texts) > 1:
                return _joined([self._embed(texts[part], prompt) for part in _halves(len(texts))])
            self._require_working(error)
            return FarEmbedded(self._nothing(1), {0: error.fact[:_LONGEST_REASON]})

    def _answered(self, answer: dict[str, Any], count: int) -> FarEmbedded:
        vectors = np.frombuffer(answer["vectors"], np.float32).reshape(count, self._embedder.dimensions)
        self._spend("embed", float(answer["seconds"]))
        return FarEmbedded(vectors, dict(answer["reasons"]))

    def _nothing(self, count: int) -> Matrix:
        return np.zeros((count, self._embedder.dimensions), np.float32)

    def _require_working(self, error: ComputeError) -> None:
        try:
            self._call("embed", ["warm-up"], "", self._precision)
        except AutosortError:
            raise EncoderBroken(
                f"The model embeds nothing at all on Modal: {error.fact}",
                "No song was set aside for it. See `modal app logs`, then run the same again.",
            ) from error


def _halves(count: int) -> tuple[slice, slice]:
    return slice(0, count // 2), slice(count // 2, count)


def _joined(parts: Sequence[FarEmbedded]) -> FarEmbedded:
    reasons: dict[int, str] = {}
    start = 0
    for part in parts:
        reasons |= {start + row: why for row, why in part.reasons.items()}
        start += len(part.vectors)
    return FarEmbedded(np.concatenate([each.vectors for each in parts]), reasons)


@contextmanager
def embedding_on_modal(
    workspace: Workspace,
    app: ModalApp,
    embedder: EmbedderSpec,
    progress: Progress,
    settings: LifecycleSettings,
    *,
    published: bool,
    spend: Spend,
) -> Iterator[FarEmbedding]:
    """A model on Modal, sent there unless it is there; containers load it when the first texts come.

    Args:
        published: whether it is a base model, which is fetched there from where it is published.
    """
    bring_embedder(app, workspace.artifacts, embedder, progress, published=published)
    instance = app.instance("Embedder", embedder=embedder.model_dump_json())

    def call(method: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the method says
        with translated(app.name):
            return getattr(instance, method).remote(*arguments)

    far = FarEmbedding(call, embedder, count=settings.modal_embedders, spend=spend)
    try:
        yield far
    finally:
        far.close()
