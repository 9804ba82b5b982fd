"""How long a free worker waits for company before it begins a small batch.

Clients that got an answer send their next request a few milliseconds later. A worker that takes the first of these at
once computes it alone, at half the speed, and does so for ever; one that waits a moment gets them all.
"""

import math

_SHARE = 0.15
"""Of the time that the last batch took: what is lost if nobody comes, a fraction of what is won if all do."""

_LONGEST_SECONDS = 0.010
_FORGETTING = 0.25


class Patience:
    """Remembers how many texts were here at once of late, and so how many a batch may hope for.

    Args:
        workers: that share them.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._crowd = 0.0
        self._seconds = 0.0

    def arrived(self, here: int) -> None:
        """So many texts wait or are computed, now that more have come."""
        self._crowd = max(self._crowd, here)

    def left(self, here: int, seconds: float) -> None:
        """So many are left, now that a batch is done that took so long."""
        self._crowd = max(here, self._crowd - (self._crowd - here) * _FORGETTING)
        self._seconds = seconds

    def wait(self, waiting: int, free_for: float) -> float:
        """Seconds that a worker should wait on, which is free for so long while so many texts wait; 0 to begin."""
        if waiting >= math.ceil(self._crowd / self._workers - 0.5):
            return 0.0
        return max(0.0, min(_LONGEST_SECONDS, _SHARE * self._seconds) - free_for)
