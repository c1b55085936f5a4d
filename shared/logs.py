"""The log: one line per event on stderr, as text for people or JSON for programs.

Python's warnings and uncaught exceptions are logged as well, so that in JSON every line of stderr can be parsed.
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
    """Formats a record as one JSON object: ``at`` (RFC 3339), ``level``, ``logger``, ``message``, ``traceback``.

    ``traceback`` is there for exceptions only. A record may add members with ``extra={"fields": {...}}``, under names
    other than these.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as a line, also where a member is not valid for JSON."""
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
            # A lone surrogate, or a value that JSON does not have: the standard library writes it escaped, or its repr.
            return json.dumps(line, default=repr)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Format and arguments that do not fit: logging would report this fault of a caller in lines of its own.
        return f"{record.msg} {record.args!r}"


def configure(form: str) -> None:
    """Log to stderr in *form*, ``json``, or ``text`` for any other: the hub from INFO on, libraries from WARNING on.

    Python's warnings, and exceptions that nobody catches, in threads and finalisers too, are logged as well.
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
