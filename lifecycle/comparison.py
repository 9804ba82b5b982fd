"""Two versions on the same queries: by how much they differ, and whether that could be chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.outcomes import METRICS, Outcomes, RegimeOutcomes
from training.statistics import (
    MINIMUM_QUERIES,
    NonInferiority,
    clustered_interval,
    holm,
    non_inferior,
    paired_randomisation,
)

JUDGED_BY = "mrr"
"""The metric by which a genre is called better or worse, unless the gate's policy says another."""

ALPHA = 0.05


@dataclass(frozen=True)
class Difference:
    """Of one metric over queries that both were asked: the means, their difference with its 95 % interval, and p."""

    n: int
    new: float
    old: float
    difference: float
    low: float
    high: float
    p: float

    def as_json(self) -> dict[str, float]:
        """The figures but for `n`, rounded to four places."""
        named = {name: getattr(self, name) for name in ("new", "old", "difference", "low", "high", "p")}
        return {name: round(value, 4) for name, value in named.items()}


@dataclass(frozen=True)
class GenreDifference:
    """A genre's difference; p after Holm's correction, None where there are too few queries."""

    found: Difference
    p_holm: float | None

    def verdict(self, alpha: float = ALPHA) -> str:
        """One of: better, worse, no difference, insufficient."""
        if self.p_holm is None:
            return "insufficient"
        if self.p_holm > alpha:
            return "no difference"
        return "better" if self.found.difference > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """A new version against an old one, on the queries that both were asked."""

    new: Outcomes
    old: Outcomes
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Differences with 95 % intervals and p-values: overall, by regime and by genre.

        Genres are judged by MRR with Holm's correction over those that have enough queries.
        """
        return {
            "overall": self._differences(self.new.pooled(), self.old.pooled()),
            "regimes": {
                name: {**_size(regime), **self._differences(regime, self.old.regimes[name])}
                for name, regime in self.new.regimes.items()
            },
            "genres": self._genres(),
        }

    def overall(self, metric: str, regimes: Sequence[str] | None = None) -> Difference | None:
        """The difference over the queries of some regimes (by default all), pooled; None if there are none."""
        new, old = self._pooled(regimes)
        return self._difference(metric, new, old) if new.songs else None

    def no_worse(self, metric: str, regimes: Sequence[str] | None, margin: float) -> NonInferiority:
        """Whether the new version is no worse by more than a margin over the queries of some regimes (all if None)."""
        new, old = self._pooled(regimes)
        return non_inferior(new.values[metric], old.values[metric], list(new.groups), margin, seed=self.seed)

    def genres(self, metric: str = JUDGED_BY, minimum: int = MINIMUM_QUERIES) -> dict[str, GenreDifference]:
        """The difference in each genre, with Holm's correction over those that have enough queries."""
        new, old = self._pooled(None)
        rows = {
            genre: [row for row, each in enumerate(new.genres) if each == genre] for genre in sorted(set(new.genres))
        }
        found = {genre: self._difference(metric, new.take(chosen), old.take(chosen)) for genre, chosen in rows.items()}
        corrected = holm({genre: each.p for genre, each in found.items() if each.n >= minimum})
        return {genre: GenreDifference(each, corrected.get(genre)) for genre, each in found.items()}

    def _pooled(self, regimes: Sequence[str] | None) -> tuple[RegimeOutcomes, RegimeOutcomes]:
        return self.new.pooled(regimes), self.old.pooled(regimes)

    def _genres(self) -> dict[str, Any]:
        new, old = self._pooled(None)
        judged = self.genres()
        found: dict[str, Any] = {}
        for genre, each in judged.items():
            rows = [row for row, name in enumerate(new.genres) if name == genre]
            figures = self._differences(new.take(rows), old.take(rows))
            figures[JUDGED_BY]["p_holm"] = None if each.p_holm is None else round(each.p_holm, 4)
            found[genre] = {**_size(new.take(rows)), **figures, "verdict": each.verdict()}
        return found

    def _differences(self, new: RegimeOutcomes, old: RegimeOutcomes) -> dict[str, Any]:
        return {metric: self._difference(metric, new, old).as_json() for metric in METRICS} if new.songs else {}

    def _difference(self, metric: str, new: RegimeOutcomes, old: RegimeOutcomes) -> Difference:
        one, other, groups = new.values[metric], old.values[metric], list(new.groups)
        interval = clustered_interval(one - other, groups, seed=self.seed)
        return Difference(
            n=len(new.songs),
            new=float(np.mean(one)),
            old=float(np.mean(other)),
            difference=float(np.mean(one - other)),
            low=interval.low,
            high=interval.high,
            p=paired_randomisation(one, other, groups, seed=self.seed),
        )


def compare(new: Outcomes, old: Outcomes, *, seed: int = 0) -> Comparison:
    """Compare two evaluations on the queries that both have, by regime and song."""
    shared: tuple[dict[str, RegimeOutcomes], dict[str, RegimeOutcomes]] = ({}, {})
    for name in new.regimes.keys() & old.regimes.keys():
        asked, before = new.regimes[name], old.regimes[name]
        rows = {song: row for row, song in enumerate(before.songs)}
        both = [(row, rows[song]) for row, song in enumerate(asked.songs) if song in rows]
        if both:
            shared[0][name] = asked.take([row for row, _ in both])
            shared[1][name] = before.take([row for _, row in both])
    ordered = [name for name in new.regimes if name in shared[0]]
    parts = [Outcomes({name: each[name] for name in ordered}) for each in shared]
    return Comparison(parts[0], parts[1], seed)


def _size(regime: RegimeOutcomes) -> Mapping[str, Any]:
    return {"n": len(regime.songs), "sufficient": len(regime.songs) >= MINIMUM_QUERIES}
