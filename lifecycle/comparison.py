"""Two versions on the same queries: by how much they differ, and whether that could be chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.outcomes import METRICS, Outcomes, RegimeOutcomes
from training.statistics import MINIMUM_QUERIES, clustered_interval, holm, non_inferior, paired_randomisation

JUDGED_BY = "mrr"
"""The metric by which a genre is called better or worse."""

ALPHA = 0.05


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

    def falls_short(self, metric: str, regime: str, margin: float) -> tuple[bool, float, float]:
        """Whether the new version may be worse by more than a margin in a regime.

        Returns:
            That, the difference of the means, and the lower end of its one-sided 95 % interval.
        """
        new, old = self.new.regimes[regime], self.old.regimes[regime]
        found = non_inferior(new.values[metric], old.values[metric], list(new.groups), margin, seed=self.seed)
        return not found.passed, found.difference, found.low

    def _genres(self) -> dict[str, Any]:
        new, old = self.new.pooled(), self.old.pooled()
        genres = sorted(set(new.genres))
        rows = {genre: [row for row, each in enumerate(new.genres) if each == genre] for genre in genres}
        found = {
            genre: {**_size(new.take(chosen)), **self._differences(new.take(chosen), old.take(chosen))}
            for genre, chosen in rows.items()
        }
        corrected = holm({genre: each[JUDGED_BY]["p"] for genre, each in found.items() if each["sufficient"]})
        for genre, each in found.items():
            each[JUDGED_BY]["p_holm"] = corrected.get(genre)
            each["verdict"] = _verdict(each[JUDGED_BY])
        return found

    def _differences(self, new: RegimeOutcomes, old: RegimeOutcomes) -> dict[str, Any]:
        return {metric: self._difference(metric, new, old) for metric in METRICS} if new.songs else {}

    def _difference(self, metric: str, new: RegimeOutcomes, old: RegimeOutcomes) -> dict[str, float]:
        one, other, groups = new.values[metric], old.values[metric], list(new.groups)
        interval = clustered_interval(one - other, groups, seed=self.seed)
        figures = {
            "new": float(np.mean(one)),
            "old": float(np.mean(other)),
            "difference": float(np.mean(one - other)),
            "low": interval.low,
            "high": interval.high,
            "p": paired_randomisation(one, other, groups, seed=self.seed),
        }
        return {name: round(value, 4) for name, value in figures.items()}


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


def _size(regime: RegimeOutcomes) -> dict[str, Any]:
    return {"n": len(regime.songs), "sufficient": len(regime.songs) >= MINIMUM_QUERIES}


def _verdict(judged: Mapping[str, Any]) -> str:
    if judged["p_holm"] is None:
        return "insufficient"
    if judged["p_holm"] > ALPHA:
        return "no difference"
    return "better" if judged["difference"] > 0 else "worse"
