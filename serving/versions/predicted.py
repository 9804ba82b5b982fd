"""Which emotions this server has predicted since it last told the database."""

import threading
from collections import defaultdict

import numpy as np

from registry.emotions import Cell, Predicted, Predictions
from serving.inference.emotions import Felt


class PredictedEmotions:
    """Counts of predictions by version and label; any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[Cell, Predicted] = defaultdict(Predicted)

    def note(self, version: str, felt: Felt) -> None:
        """Count what was said of texts."""
        scores = felt.scores
        held = (scores >= np.array(felt.spec.thresholds, np.float32)).sum(axis=0)
        sums = scores.sum(axis=0, dtype=np.float64)
        with self._lock:
            for number, label in enumerate(felt.spec.labels):
                self._counts[Cell(version, label)] += Predicted(len(scores), int(held[number]), float(sums[number]))

    def drain(self) -> Predictions:
        """What was counted since the last time: whoever takes it tells the database, or gives it back."""
        with self._lock:
            counts, self._counts = self._counts, defaultdict(Predicted)
        return counts

    def give_back(self, counts: Predictions) -> None:
        """Count again what could not be told."""
        with self._lock:
            for cell, count in counts.items():
                self._counts[cell] += count
