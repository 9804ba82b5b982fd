"""The arithmetic of time and money."""

import re
from math import isclose, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.cost import (
    TRAINED_SHARE,
    Estimate,
    Machine,
    Standing,
    a10,
    estimate_embedding,
    estimate_training,
    here,
    judge,
    trained_pairs,
)
from lifecycle.settings import LifecycleSettings
from lifecycle.throughput import THROUGHPUTS, Device, find_throughput, pair_tokens
from registry.errors import NotFound
from training.configuration import PROFILES, profile
from training.splits import Split, pair_split, weighing

SETTINGS = LifecycleSettings()
MACHINES = (a10(SETTINGS), here(SETTINGS), here(LifecycleSettings.model_validate({"local_price": 0.01}), gpu=True))

machines = st.sampled_from(MACHINES)
profiles = st.sampled_from(sorted(PROFILES))
counts = st.integers(0, 5_000_000)
dollars = st.floats(0, 1_000, allow_nan=False)


def values(estimate: Estimate, unit: str) -> list[float]:
    return [line.value for line in estimate.lines if line.unit == unit]


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("device", list(Device))
def test_every_profile_has_its_figures_on_every_device(name: str, device: Device) -> None:
    row = find_throughput(name, device)
    assert row.pairs_per_second > 0
    assert row.songs_per_second > row.pairs_per_second
    assert row.source


def test_what_nobody_knows_is_not_guessed() -> None:
    with pytest.raises(NotFound, match="e5-huge on a10"):
        find_throughput("e5-huge", Device.A10)


def test_only_what_was_measured_says_so() -> None:
    assert {(row.profile, row.device) for row in THROUGHPUTS if row.basis == "measured"} == {("bundled", Device.CPU)}


def test_e5_on_an_a10_by_hand() -> None:
    # 125 TFLOP/s at 35 %; 303M parameters; 2 + 6 FLOPs a token for the cached loss; 35 + 45 tokens a pair.
    row = find_throughput("e5-large", Device.A10)
    assert row.pairs_per_second == pytest.approx(125e12 * 0.35 / (8 * 303e6 * 80))
    assert row.songs_per_second == pytest.approx(125e12 * 0.35 / (2 * 303e6 * 45))
    # An hour of the container: 3,600 s at 0.000306 + 4 of 0.0000131 + 16 of 0.00000222.
    assert a10(SETTINGS).dollars(3600) == pytest.approx(1.4181, abs=1e-4)


def test_a_quarterly_training_by_hand() -> None:
    configuration = profile("bundled", epochs=2)
    estimate = estimate_training(1_500, configuration, here(SETTINGS), songs=1_000)
    # 3,000 pairs at 15 a second, 1,000 songs at 100 a second, and 20 seconds around them.
    assert estimate.seconds == pytest.approx(200 + 10 + 20)
    assert estimate.dollars == 0
    assert values(estimate, "steps") == [24 * 2]
    assert values(estimate, "tokens") == [3_000 * 60]


def test_siblings_and_hard_negatives_make_longer_pairs() -> None:
    assert pair_tokens("bundled") == 15 + 45
    assert pair_tokens("e5-large", siblings=0.5) == 0.5 * 45 + 0.5 * 35 + 45
    assert pair_tokens("bundled", hard_negatives=2) == 15 + 3 * 45
    plain = profile("bundled", hard_negatives=0, siblings=0.0)
    longer = profile("bundled", hard_negatives=1, siblings=0.0)
    machine = here(SETTINGS)
    (short,) = (estimate_training(10_000, each, machine, songs=0).seconds - 20 for each in (plain,))
    long = estimate_training(10_000, longer, machine, songs=0).seconds - 20
    assert long / short == pytest.approx(105 / 60)


@given(pairs=counts, more=counts, songs=counts, name=profiles, machine=machines, epochs=st.integers(1, 50))
def test_more_pairs_and_more_epochs_take_longer_in_proportion(
    pairs: int, more: int, songs: int, name: str, machine: Machine, epochs: int
) -> None:
    def seconds(count: int, passes: int) -> float:
        estimate = estimate_training(count, profile(name, epochs=passes), machine, songs=songs)
        return (
            estimate.seconds - machine.overhead_seconds - songs / find_throughput(name, machine.device).songs_per_second
        )

    assert isclose(
        seconds(pairs + more, epochs), seconds(pairs, epochs) + seconds(more, epochs), rel_tol=1e-6, abs_tol=1e-3
    )
    assert isclose(seconds(pairs, epochs), epochs * seconds(pairs, 1), rel_tol=1e-6, abs_tol=1e-3)


@given(pairs=counts, songs=counts, name=profiles, machine=machines)
def test_the_arithmetic_that_is_shown_is_the_arithmetic_that_is_done(
    pairs: int, songs: int, name: str, machine: Machine
) -> None:
    for estimate in (
        estimate_training(pairs, profile(name), machine, songs=songs),
        estimate_embedding(songs, name, machine),
    ):
        *prices, total = values(estimate, "$")
        assert total == estimate.dollars
        assert isclose(sum(prices), total, abs_tol=1e-12)
        assert isclose(sum(values(estimate, "s")), estimate.seconds)
        assert values(estimate, "h") == [estimate.seconds / 3600]
        assert isclose(estimate.dollars, machine.dollars(estimate.seconds), abs_tol=1e-9)
        for line in estimate.lines:
            assert line.value >= 0
            if line.unit in {"pairs", "$", "tokens"} and "+" not in line.calculation:
                assert isclose(_multiplied(line.calculation), line.value, rel_tol=0.02, abs_tol=0.01), line
        document = estimate.as_json()
        assert document["hours"] * 3600 == pytest.approx(estimate.seconds)
        assert document["basis"] in {"measured", "estimated"}


def test_what_is_free_shows_so() -> None:
    estimate = estimate_embedding(1_000, "bundled", here(SETTINGS))
    assert estimate.dollars == 0
    assert estimate.lines[-1].value == 0


def test_a_machine_that_has_a_price_costs_it_by_the_second() -> None:
    priced = here(LifecycleSettings.model_validate({"local_price": 0.01}))
    assert estimate_embedding(1_000, "bundled", priced).dollars == pytest.approx(0.01 * (10 + 20))


def test_the_share_that_is_trained_on_is_the_one_that_the_splits_make() -> None:
    songs = [f"song-{number}" for number in range(20_000)]
    kept = weighing(songs)
    trained = [
        song not in kept and pair_split(f"playlist-{number % 400}", song) is Split.TRAIN
        for number, song in enumerate(songs)
    ]
    assert sum(trained) / len(trained) == pytest.approx(TRAINED_SHARE, abs=0.05)
    assert trained_pairs(1_000) == 590


@given(spent=dollars, asked=dollars, budget=dollars)
def test_the_budget_is_never_exceeded_and_what_is_free_is_never_refused(
    spent: float, asked: float, budget: float
) -> None:
    standing = judge(spent, asked, budget)
    assert (standing is Standing.OVER) == (asked > 0 and spent + asked > budget + 1e-9)
    assert judge(spent, 0.0, budget) is Standing.WITHIN
    if standing is Standing.WITHIN and asked > 0:
        assert spent + asked < 0.8 * budget


@pytest.mark.parametrize(
    ("spent", "asked", "standing"),
    [
        (0.0, 23.99, Standing.WITHIN),
        (20.0, 4.0, Standing.NEAR),
        (20.0, 10.0, Standing.NEAR),
        (20.0, 10.01, Standing.OVER),
        (31.0, 0.01, Standing.OVER),
        (31.0, 0.0, Standing.WITHIN),
    ],
)
def test_the_budget_of_thirty_dollars(spent: float, asked: float, standing: Standing) -> None:
    assert judge(spent, asked, 30.0) is standing


def _multiplied(calculation: str) -> float:
    """The product of a calculation's numbers, as somebody with a pocket calculator would check it."""
    return prod(
        float(each.replace(",", "")) for each in re.findall(r"[\d.,]*\d", re.sub(r"GiB-s|core-s", "", calculation))
    )
