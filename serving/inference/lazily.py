"""Models that a version can do without: loaded beside what is being answered, once somebody wants them."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from registry.errors import AutosortError, ModelUnavailable
from serving.disclosure import disclosed

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 10.0
"""What could not be loaded is tried again by whoever wants it after so long."""

Model = TypeVar("Model")


class Lazily(Generic[Model]):
    """A model that is loaded in a thread of its own when it is first wanted. Threads may share it.

    A thread that has multiplied keeps helper threads, which slow the scheduler's down: these end with it.

    Args:
        name: what it is, for errors: "the reranker of v2".
    """

    def __init__(self, name: str, load: Callable[[], Model]) -> None:
        self._name = name
        self._load = load
        self._lock = threading.Lock()
        self._loading: Future[Model] | None = None
        self._failed_at = 0.0

    def begin(self) -> "Future[Model]":
        """Load it, unless that is done, under way or has just failed; the future fails as `wait` does."""
        with self._lock:
            if self._loading is None or self._failed_of_old(self._loading):
                self._loading = Future()
                self._loading.set_running_or_notify_cancel()
                threading.Thread(target=self._run, args=(self._loading,), name="loading", daemon=True).start()
            return self._loading

    def wait(self) -> Model:
        """The model, once it is loaded.

        Raises:
            ModelUnavailable: it cannot be loaded.
        """
        return self.begin().result()

    def find(self) -> Model:
        """The model, if it is loaded.

        Raises:
            ModelUnavailable: it is not, yet or at all.
        """
        loading = self.begin()
        if not loading.done():
            raise ModelUnavailable(f"{self._name} is being loaded.", "Send the same request again in a few seconds.")
        return loading.result()

    def _failed_of_old(self, loading: "Future[Model]") -> bool:
        failed = loading.done() and loading.exception() is not None
        return failed and time.monotonic() - self._failed_at > _AGAIN_SECONDS

    def _run(self, loading: "Future[Model]") -> None:
        try:
            model = self._load()
        except Exception as error:  # noqa: BLE001 - serving must not depend on it, whatever a library throws
            _log.warning("%s cannot be loaded: %s", self._name, error, exc_info=not isinstance(error, AutosortError))
            told = disclosed(error)
            self._failed_at = time.monotonic()
            loading.set_exception(ModelUnavailable(f"{self._name} cannot be loaded: {told.fact}", told.remedy))
        else:
            loading.set_result(model)
