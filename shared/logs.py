"""The log: one line per event on stderr, as text for people or JSON for programs.

As JSON it holds everything that the process says: what Python warns of and what ends a thread or the process go the
same way, so that a program that reads the lines can read each of them.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import TYPE_CHECKING

import orjson

from shared.clock import moment

if TYPE_CHECKING:
    from types import TracebackType

_log = logging.getLogger("hub")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: at, level, logger, message, and the traceback where there is one.

    A record may carry more under ``fields`` (``extra={"fields": {...}}``); these keep to names of their own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at": moment(record.created).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line).decode()
        except TypeError:
            # A lone surrogate in a text, or a value that JSON does not have: written in another way, and not lost.
            return json.dumps(line, default=repr)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Text and arguments that do not fit: a fault of whoever logs, which logging would report in lines of its own.
        return f"{record.msg} {record.args!r}"


def configure(form: str) -> None:
    """Send what the hub and its server log, from INFO on, to stderr in *form*: ``json``, or ``text`` for any other.

    Python's warnings and the failures that nobody catches are logged, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    _log.critical("The process ends by a failure that nothing caught.", exc_info=(kind, fault, trace))


def _log_thread(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "unknown"
    fault = failure.exc_value or failure.exc_type()
    _log.error("The thread %s ended by a failure.", name, exc_info=(failure.exc_type, fault, failure.exc_traceback))


def _log_unraisable(failure: sys.UnraisableHookArgs) -> None:
    about = failure.err_msg or "A failure could not be raised"
    fault = failure.exc_value or failure.exc_type()
    _log.error("%s: %r", about, failure.object, exc_info=(failure.exc_type, fault, failure.exc_traceback))
