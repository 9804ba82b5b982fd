"""Log lines written by a thread of their own: whoever reads them may stall, and answers must not wait for that."""

import logging
import queue
import threading
import time
from typing import TextIO

_MOST_WAITING = 10_000
_ENDING_SECONDS = 2.0
_LOOK_SECONDS = 0.01


class LogWriter(logging.Handler):
    """Formats a line where it is logged and writes it elsewhere; lines for which there is no room are counted.

    How many were lost is told in a line of its own, as soon as there is room.
    """

    def __init__(self, stream: TextIO, most_waiting: int = _MOST_WAITING) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str] = queue.Queue(most_waiting)
        self._lost = 0
        threading.Thread(target=self._write, name="log-writer", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written."""
        try:
            if self._lost:
                self._lines.put_nowait(self.format(_lost(self._lost)))
                self._lost = 0
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._lost += 1
        except Exception:  # noqa: BLE001 - logging must not fail who logs
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all is written, for two seconds at most."""
        deadline = time.monotonic() + _ENDING_SECONDS
        while self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                pass
            finally:
                self._lines.task_done()


def _lost(count: int) -> logging.LogRecord:
    message = "%d lines were lost here: the log was not read"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, (count,), None)
