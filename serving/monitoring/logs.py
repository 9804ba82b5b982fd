"""How the service logs: one line an event, as JSON or text, and nothing of what clients sent.

An exception's own message may repeat a text (a KeyError does, and so may a driver): of exceptions a log gets the kind
and where it happened; the message only of the toolkit's own errors, of which the first line is written by us.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

from registry.errors import AutosortError
from serving.monitoring.log_writer import LogWriter

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered here; lines that are logged meanwhile carry it."""

FIELDS = "fields"
"""The attribute of a log record that holds more fields by name."""

_LONGEST_MESSAGE = 500

Format = Literal["json", "text"]


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
        }
        if (request_id := REQUEST_ID.get()) is not None:
            line["request_id"] = request_id
        line |= getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = list(_told(record.exc_info[1]))
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextLines(logging.Formatter):
    """A line for people; where an exception happened follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(sep=" ", timespec="milliseconds")
        request_id = REQUEST_ID.get()
        fields = {**({"request_id": request_id} if request_id else {}), **getattr(record, FIELDS, {})}
        told = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        line = f"{at} {record.levelname} {message_of(record)}{' ' * bool(told)}{told}"
        failed = record.exc_info[1] if record.exc_info else None
        return "\n    ".join([line, *(_told(failed) if failed is not None else ())])


_TALKATIVE = ("sentence_transformers", "transformers", "httpx", "huggingface_hub")
"""Libraries that tell of each model they load, and where it lies."""


def set_up_logging(form: Format | None, stream: TextIO = sys.stderr) -> None:
    """Have everything that the process logs go to a stream in this form; unless told, text if it is a terminal."""
    handler = LogWriter(stream)
    as_text = form == "text" or (form is None and stream.isatty())
    handler.setFormatter(TextLines() if as_text else JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)
    # What no line tells need not be found out for each one.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.captureWarnings(capture=True)


def message_of(record: logging.LogRecord) -> str:
    """The record's message, its first line; of an exception among its arguments as little as `_said` tells."""
    if isinstance(record.args, tuple) and any(isinstance(each, BaseException) for each in record.args):
        arguments = tuple(_said(each) if isinstance(each, BaseException) else each for each in record.args)
        whole = str(record.msg) % arguments
    else:
        whole = record.getMessage()
    return whole.strip().partition("\n")[0][:_LONGEST_MESSAGE]


def _said(error: BaseException) -> str:
    """What may be told of an exception."""
    return str(error).partition("\n")[0] if isinstance(error, AutosortError) else type(error).__name__


def _told(error: BaseException) -> Iterator[str]:
    """The exception and those that led to it, each with where it happened, the innermost place last."""
    seen: BaseException | None = error
    while seen is not None:
        yield _said(seen)
        for place in traceback.extract_tb(seen.__traceback__):
            yield f"at {place.filename}:{place.lineno} in {place.name}"
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
