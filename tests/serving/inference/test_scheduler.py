"""Forward passes are shared, and what goes wrong in one is the matter of its own texts only."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait

import numpy as np
import pytest
import torch

from registry.errors import InferenceFailed, Overloaded
from serving.inference.scheduler import BatchDone, Scheduler
from serving.inference.waiting import Matrix, Tokens

POISON, NAN, HANGS = 666, 777, 888


class Model:
    """Gives each text its first token; tokens of its own make it fail. It can be held, to let requests gather."""

    batch_tokens = 64

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: list[int] = []
        self.go, self.begun = threading.Event(), threading.Event()
        self.go.set()

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        firsts = [each[0] for each in tokens]
        self.batches.append(firsts)
        self.threads.append(torch.get_num_threads())
        self.begun.set()
        if HANGS in firsts:
            time.sleep(3)
        assert self.go.wait(20)
        if POISON in firsts:
            raise RuntimeError("a text that the model does not like")
        return np.array([[np.nan if each == NAN else each] for each in firsts], np.float32)


Start = Callable[..., Scheduler]


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[Scheduler] = []
    threads = torch.get_num_threads()

    def make(lanes: int = 1, threads: int = 1, **options: float) -> Scheduler:
        begun.append(Scheduler(lanes, threads, **options))  # type: ignore[arg-type]
        begun[-1].start()
        return begun[-1]

    yield make
    for each in begun:
        each.stop()
    torch.set_num_threads(threads)


def text(first: int, length: int = 8) -> list[int]:
    return [first] + [0] * (length - 1)


def firsts(future: "Future[Matrix]") -> list[float]:
    rows: list[float] = future.result(20)[:, 0].tolist()
    return rows


def test_each_request_gets_its_own_rows_in_order(start: Start) -> None:
    scheduler, model = start(lanes=2), Model()
    futures = [scheduler.submit(model, [text(10 * n + k, 3 + k) for k in range(n)]) for n in range(1, 9)]
    for n, future in enumerate(futures, 1):
        assert firsts(future) == [10 * n + k for k in range(n)]
    assert scheduler.submit(model, []).result(1).size == 0


def test_what_comes_while_the_model_is_at_work_shares_the_next_batch(start: Start) -> None:
    scheduler, model = start(), Model()
    model.go.clear()
    first = scheduler.submit(model, [text(1)])
    assert model.begun.wait(20)
    others = [scheduler.submit(model, [text(n)]) for n in range(2, 8)]
    model.go.set()
    wait([first, *others], 20)
    assert [len(each) for each in model.batches] == [1, 6]


def test_a_text_that_fails_takes_no_other_with_it(start: Start) -> None:
    scheduler, model = start(), Model()
    model.go.clear()
    blocker = scheduler.submit(model, [text(1)])
    assert model.begun.wait(20)
    good = [scheduler.submit(model, [text(n)]) for n in range(2, 5)]
    bad = scheduler.submit(model, [text(5), text(POISON), text(6), text(NAN)])
    model.go.set()
    assert [firsts(each) for each in (blocker, *good)] == [[1], [2], [3], [4]]
    with pytest.raises(InferenceFailed) as failed:
        bad.result(20)
    assert failed.value.details == {"texts": [1, 3]}
    assert firsts(scheduler.submit(model, [text(7)])) == [7]


def test_what_the_client_gave_up_is_not_computed(start: Start) -> None:
    scheduler, model = start(), Model()
    model.go.clear()
    scheduler.submit(model, [text(1)])
    assert model.begun.wait(20)
    gone, kept = scheduler.submit(model, [text(2), text(3)]), scheduler.submit(model, [text(4)])
    assert gone.cancel()
    model.go.set()
    assert firsts(kept) == [4]
    assert model.batches == [[1], [4]]


def test_a_text_alone_gets_all_threads_and_batches_side_by_side_one_each(start: Start) -> None:
    scheduler, model = start(lanes=2, threads=2), Model()
    firsts(scheduler.submit(model, [text(1)]))
    together = threading.Barrier(2)
    real = model.forward

    def forward(tokens: Sequence[Tokens]) -> Matrix:
        together.wait(20)  # passes only if two are here at once
        return real(tokens)

    model.forward = forward  # type: ignore[method-assign]
    assert firsts(scheduler.submit(model, [text(2), text(3)])) == [2, 3]
    assert model.threads == [2, 1, 1]


def test_a_request_that_would_wait_for_too_long_is_refused_whole_and_told_for_how_long(start: Start) -> None:
    scheduler, model = start(longest_wait=1.0), Model()
    model.go.clear()
    scheduler.submit(model, [text(1)])
    assert model.begun.wait(20)
    most = scheduler.submit(model, [text(2, 100)] * 19)  # at 2,000 tokens a second
    with pytest.raises(Overloaded) as refused:
        scheduler.submit(model, [text(3, 100)] * 2)
    assert 1 <= refused.value.retry_after < 3
    model.go.set()
    assert len(firsts(most)) == 19
    assert 3 not in [each for batch in model.batches for each in batch]


def test_an_idle_service_takes_whatever_a_request_holds(start: Start) -> None:
    scheduler = start(longest_wait=0.001)
    assert len(firsts(scheduler.submit(Model(), [text(1, 50)] * 200))) == 200


def test_a_pass_that_hangs_is_given_up_and_the_service_goes_on(start: Start) -> None:
    scheduler, model = start(longest_pass=0.2), Model()
    hanging = scheduler.submit(model, [text(HANGS)])
    assert model.begun.wait(20)
    with pytest.raises(InferenceFailed):
        hanging.result(2)
    assert firsts(scheduler.submit(model, [text(2)])) == [2]
    time.sleep(3)  # the lost one comes back, and disturbs nobody
    assert firsts(scheduler.submit(model, [text(3)])) == [3]


def test_at_its_end_what_waits_is_computed_and_nothing_more_is_taken(start: Start) -> None:
    scheduler, model = start(), Model()
    model.go.clear()
    futures = [scheduler.submit(model, [text(n)]) for n in range(5)]
    threading.Timer(0.1, model.go.set).start()
    scheduler.stop()
    assert [firsts(each) for each in futures] == [[n] for n in range(5)]
    with pytest.raises(InferenceFailed):
        scheduler.submit(model, [text(1)])


def test_each_batch_is_told_of(start: Start) -> None:
    told: list[BatchDone] = []
    scheduler = start(observe=told.append)
    firsts(scheduler.submit(Model(), [text(1, 5), text(2, 5)]))
    scheduler.stop()
    assert [(each.texts, each.tokens) for each in told] == [(2, 10)]
    assert told[0].waited_seconds >= 0
    assert told[0].seconds > 0
    assert scheduler.succeeded_at > 0
