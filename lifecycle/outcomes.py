"""What came of each query of an evaluation: kept, so that two versions are compared query by query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.metrics import QueryMetrics

Values = npt.NDArray[np.float64]

METRICS = ("top1", "top5", "mrr", "ndcg_at_10", "recall_at_20")


@dataclass(frozen=True)
class RegimeOutcomes:
    """The queries of one regime.

    Attributes:
        songs: what was asked.
        groups: for each query the playlist by which it depends on others: queries of one group are resampled together.
        genres: for each query the genre of that playlist.
        values: by metric, one number for each query.
    """

    songs: tuple[str, ...]
    groups: tuple[str, ...]
    genres: tuple[str, ...]
    values: Mapping[str, Values]

    @classmethod
    def of(
        cls, songs: Sequence[str], groups: Sequence[str], genres: Sequence[str], metrics: QueryMetrics
    ) -> "RegimeOutcomes":
        """The outcomes of queries that were measured."""
        values = {name: np.asarray(getattr(metrics, name), np.float64) for name in METRICS}
        return cls(tuple(songs), tuple(groups), tuple(genres), values)

    def take(self, rows: Sequence[int]) -> "RegimeOutcomes":
        """Some of the queries, in that order."""
        chosen = list(rows)
        return RegimeOutcomes(
            tuple(self.songs[row] for row in chosen),
            tuple(self.groups[row] for row in chosen),
            tuple(self.genres[row] for row in chosen),
            {name: values[chosen] for name, values in self.values.items()},
        )

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        values = {name: [round(float(each), 6) for each in found] for name, found in self.values.items()}
        return {"songs": self.songs, "groups": self.groups, "genres": self.genres, **values}

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> "RegimeOutcomes":
        """What `as_json` wrote."""
        values = {name: np.asarray(parts[name], np.float64) for name in METRICS}
        return cls(tuple(parts["songs"]), tuple(parts["groups"]), tuple(parts["genres"]), values)


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of an evaluation, by regime."""

    regimes: Mapping[str, RegimeOutcomes]

    def pooled(self, regimes: Sequence[str] | None = None) -> RegimeOutcomes:
        """The queries of some regimes (by default all), one after another; a song asked in two stands there twice."""
        parts = [each for name, each in self.regimes.items() if regimes is None or name in regimes]
        return RegimeOutcomes(
            tuple(song for part in parts for song in part.songs),
            tuple(group for part in parts for group in part.groups),
            tuple(genre for part in parts for genre in part.genres),
            {name: np.concatenate([np.zeros(0), *(part.values[name] for part in parts)]) for name in METRICS},
        )

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {name: regime.as_json() for name, regime in self.regimes.items()}

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> "Outcomes":
        """What `as_json` wrote."""
        return cls({name: RegimeOutcomes.from_json(each) for name, each in parts.items()})
