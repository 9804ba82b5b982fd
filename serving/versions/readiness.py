"""Whether this server can answer: its live version's model did lately, or does so when it is tried.

That the process runs says nothing of the model: a forward pass can hang or fail while everything else answers.
"""

import threading
import time
from concurrent.futures import Future
from weakref import WeakKeyDictionary

from registry.errors import AutosortError
from serving.inference.scheduler import BatchDone, Scheduler
from serving.inference.served import ServedEncoder
from serving.inference.waiting import Matrix, TokenModel
from serving.matching.matcher import Answering

_FRESH_SECONDS = 30.0
_PATIENCE_SECONDS = 2.0
_TRIED_TEXT = "A quiet song about a harbour at night."


class NotReady(AutosortError):
    """The server cannot answer now, or is about to end."""


class Readiness:
    """Knows when each model last did its work, and tries the live one when that is too long ago.

    Args:
        fresh_seconds: for how long a forward pass vouches for the model.
        patience_seconds: after which a trial that has not ended counts as failed.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        fresh_seconds: float = _FRESH_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._scheduler = scheduler
        self._fresh_seconds = fresh_seconds
        self.patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._worked_at: WeakKeyDictionary[TokenModel, float] = WeakKeyDictionary()
        self._trial: tuple[TokenModel, float, Future[Matrix]] | None = None
        self.draining = False

    def note(self, done: BatchDone) -> None:
        """A batch was computed, or failed."""
        with self._lock:
            if done.failed < done.texts:
                self._worked_at[done.model] = time.monotonic()
            else:
                self._worked_at.pop(done.model, None)

    def trial(self, answering: Answering) -> "Future[Matrix] | None":
        """None if the version's model worked lately; else the trial that is on, begun now if there was none.

        Of all who ask at once one begins it. Whoever waits for it should do so for `patience_seconds` at most.

        Raises:
            NotReady: the server is about to end, is too busy for a trial, or the one that is on has taken too long.
        """
        if self.draining:
            raise NotReady("The server is about to end.", "Send requests to another one.")
        encoder = answering.encoder()
        if not isinstance(encoder, ServedEncoder) or self._worked_lately(encoder.encoder):
            return None
        with self._lock:
            return self._trial_of(encoder)

    def _worked_lately(self, model: TokenModel) -> bool:
        worked_at = self._worked_at.get(model)
        return worked_at is not None and time.monotonic() - worked_at < self._fresh_seconds

    def _trial_of(self, encoder: ServedEncoder) -> "Future[Matrix]":
        model, now = encoder.encoder, time.monotonic()
        if self._trial is not None and self._trial[0] is model and not self._trial[2].done():
            if now - self._trial[1] > self.patience_seconds:
                raise not_working()
            return self._trial[2]
        try:
            # Not through the encoder's cache, which would answer for a model that does not.
            trial = self._scheduler.submit(model, model.tokenize([_TRIED_TEXT], encoder.spec.song_prompt))
        except AutosortError as error:
            raise NotReady(f"The model cannot be tried. {error.fact}", error.remedy) from error
        self._trial = (model, now, trial)
        return trial


def not_working() -> NotReady:
    """The error of a model that is not heard of."""
    return NotReady(
        "The model does not come back from a text, or fails on it.",
        "It is tried again by itself; if that goes on, see the service's log and restart it.",
    )
