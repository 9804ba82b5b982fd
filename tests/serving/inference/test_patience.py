"""A free worker waits for company only where company has been of late, and never long."""

from serving.inference.patience import Patience


def crowd(workers: int, here: int, seconds: float = 0.1) -> Patience:
    """As after a batch that took so long, beside so many texts."""
    patience = Patience(workers)
    patience.arrived(here)
    patience.left(here, seconds)
    return patience


def test_a_text_that_comes_alone_is_not_kept_waiting() -> None:
    assert Patience(2).wait(1, 0) == 0
    assert crowd(2, 1).wait(1, 0) == 0


def test_in_a_crowd_a_worker_waits_for_its_share_and_no_longer() -> None:
    patience = crowd(2, 8)
    assert patience.wait(1, 0) > 0
    assert patience.wait(4, 0) == 0
    assert patience.wait(1, 1.0) == 0


def test_it_waits_for_a_fraction_of_what_a_batch_takes_and_ten_milliseconds_at_most() -> None:
    assert 0 < crowd(2, 8, seconds=0.02).wait(1, 0) < 0.004
    assert crowd(2, 8, seconds=5.0).wait(1, 0) <= 0.010


def test_a_crowd_that_has_gone_is_forgotten() -> None:
    patience = crowd(2, 32)
    for _ in range(20):
        patience.arrived(1)
        patience.left(0, 0.1)
    patience.arrived(1)
    assert patience.wait(1, 0) == 0
