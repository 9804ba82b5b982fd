"""What a training or a re-embedding takes in time and money, with the arithmetic shown. Pure functions of values."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from math import ceil
from typing import Any

from lifecycle.settings import LifecycleSettings
from lifecycle.throughput import Device, Throughput, find_throughput, pair_tokens
from training.configuration import TrainingConfiguration

TRAINED_SHARE = 0.59
"""Of the pairs, those that are trained on: the hashes of 75 % of the songs and 85 % of the playlists say so."""

CORES = 4
MEMORY_GIB = 16
"""Of the container beside its GPU."""

WARNING_SHARE = 0.8
"""Of the budget, from which on there is a warning."""

_HOUR = 3600
_SAME = 1e-9  # dollars; below what a sum of prices can be off by


@dataclass(frozen=True)
class Price:
    """What is paid for by the second: so much of it, at so many dollars for one."""

    what: str
    amount: int
    per_second: float
    unit: str


@dataclass(frozen=True)
class Machine:
    """Where work is done: its device, what it costs, and the seconds before and after the work proper."""

    name: str
    device: Device
    prices: tuple[Price, ...]
    overhead_seconds: float

    @property
    def dollars_per_second(self) -> float:
        return sum(price.amount * price.per_second for price in self.prices)

    def dollars(self, seconds: float) -> float:
        """What so many seconds cost."""
        return seconds * self.dollars_per_second


@dataclass(frozen=True)
class Line:
    """One step of the arithmetic: what is computed, how, and what comes out."""

    what: str
    calculation: str
    value: float
    unit: str


@dataclass(frozen=True)
class Estimate:
    """What work would take on a machine.

    Attributes:
        basis: "measured" or "estimated", of the throughput it rests on; `source` says where that is from.
        lines: the arithmetic, the last line being the dollars.
    """

    machine: str
    basis: str
    source: str
    seconds: float
    dollars: float
    lines: tuple[Line, ...]

    def as_json(self) -> dict[str, Any]:
        """The estimate as a JSON object."""
        return {**asdict(self), "hours": self.seconds / _HOUR, "lines": [asdict(line) for line in self.lines]}


class Standing(StrEnum):
    """How an expense stands to the budget."""

    WITHIN = "within"
    NEAR = "near"
    OVER = "over"


def a10(settings: LifecycleSettings) -> Machine:
    """A container on Modal with one A10, paid for by the second."""
    prices = (
        Price("GPU", 1, settings.gpu_price, "s"),
        Price("cores", CORES, settings.core_price, "core-s"),
        Price("memory", MEMORY_GIB, settings.memory_price, "GiB-s"),
    )
    return Machine("A10 on Modal", Device.A10, prices, overhead_seconds=120)


def here(settings: LifecycleSettings, *, gpu: bool = False) -> Machine:
    """The machine at hand, which costs nothing unless it has a price; a GPU in it counts as an A10."""
    price = Price("this machine", 1, settings.local_price, "s")
    name = "this machine, its GPU taken for an A10" if gpu else "this machine"
    return Machine(name, Device.A10 if gpu else Device.CPU, (price,), overhead_seconds=20)


def trained_pairs(pairs: int) -> int:
    """How many of a catalogue's pairs are trained on, about; the others are kept for tests and development."""
    return round(pairs * TRAINED_SHARE)


def estimate_training(pairs: int, configuration: TrainingConfiguration, machine: Machine, *, songs: int) -> Estimate:
    """What a training takes, with the evaluation after it.

    Args:
        pairs: that are trained on.
        songs: that are embedded once to evaluate the new model.
    """
    speed = find_throughput(configuration.profile, machine.device)
    seen = pairs * configuration.epochs
    steps = ceil(pairs / configuration.batch_size) * configuration.epochs
    plain = pair_tokens(configuration.profile)
    tokens = pair_tokens(
        configuration.profile, siblings=configuration.siblings, hard_negatives=configuration.hard_negatives
    )
    rate = speed.pairs_per_second * plain / tokens
    training, evaluating = seen / rate, songs / speed.songs_per_second
    lines = (
        Line("pairs seen", f"{pairs:,} pairs * {configuration.epochs} epochs", seen, "pairs"),
        Line("steps", f"ceil({pairs:,} / {configuration.batch_size}) * {configuration.epochs}", steps, "steps"),
        Line("tokens", f"{seen:,} pairs * {tokens:g} tokens", seen * tokens, "tokens"),
        Line(
            f"pairs a second, {speed.basis}",
            f"{speed.pairs_per_second:,.1f} of {plain:g} tokens * {plain:g} / {tokens:g}",
            rate,
            "pairs/s",
        ),
        Line("training", f"{seen:,} pairs / {rate:,.1f} pairs/s", training, "s"),
        Line("evaluating", f"{songs:,} songs / {speed.songs_per_second:,.1f} songs/s", evaluating, "s"),
    )
    return _estimate(lines, (training, evaluating), machine, speed)


def estimate_embedding(songs: int, profile: str, machine: Machine) -> Estimate:
    """What it takes to embed so many songs with one model."""
    speed = find_throughput(profile, machine.device)
    embedding = songs / speed.songs_per_second
    lines = (
        Line(f"songs a second, {speed.basis}", speed.source, speed.songs_per_second, "songs/s"),
        Line("embedding", f"{songs:,} songs / {speed.songs_per_second:,.1f} songs/s", embedding, "s"),
    )
    return _estimate(lines, (embedding,), machine, speed)


def judge(spent: float, asked: float, budget: float) -> Standing:
    """How an expense stands to what is left of the budget; all in dollars. What is free is always within it."""
    if asked <= 0:
        return Standing.WITHIN
    if spent + asked > budget + _SAME:
        return Standing.OVER
    return Standing.NEAR if spent + asked >= budget * WARNING_SHARE else Standing.WITHIN


def _estimate(lines: tuple[Line, ...], parts: tuple[float, ...], machine: Machine, speed: Throughput) -> Estimate:
    """Add up the seconds and price them."""
    seconds = sum(parts) + machine.overhead_seconds
    overhead = Line("starting, loading, saving", "assumed", machine.overhead_seconds, "s")
    summed = " + ".join(f"{part:,.1f}" for part in (*parts, machine.overhead_seconds))
    total = Line("time", f"{summed} s / {_HOUR:,}", seconds / _HOUR, "h")
    prices = tuple(_priced(price, seconds) for price in machine.prices)
    dollars = sum(line.value for line in prices)
    money = Line("dollars", " + ".join(f"{line.value:.4f}" for line in prices), dollars, "$")
    return Estimate(
        machine.name, speed.basis, speed.source, seconds, dollars, (*lines, overhead, total, *prices, money)
    )


def _priced(price: Price, seconds: float) -> Line:
    amount = f"{price.amount} * " if price.amount != 1 else ""
    per_second = f"{price.per_second:.8f}".rstrip("0").rstrip(".")
    calculation = f"{seconds:,.1f} s * {amount}${per_second}/{price.unit}"
    return Line(price.what, calculation, price.amount * price.per_second * seconds, "$")
