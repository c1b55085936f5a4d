from __future__ import annotations

import errno
import logging

import pytest

from shared.shortage import cause, causes, log_failure, shortage
from shared.threads import ThreadRefused


def caused(fault: BaseException, cause: BaseException) -> BaseException:
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    ("fault", "lacking"),
    [
        (OSError(errno.EMFILE, ""), "open files"),
        (OSError(errno.ENFILE, ""), "open files"),
        (OSError(errno.ENOMEM, ""), "memory"),
        (MemoryError(), "memory"),
        (OSError(errno.EADDRNOTAVAIL, ""), "local ports"),
        (ThreadRefused("can't start new thread"), "threads"),
        (caused(ValueError(), caused(OSError("all attempts failed"), OSError(errno.EMFILE, ""))), "open files"),
    ],
    ids=["files", "files of the system", "memory", "an allocation", "ports", "threads", "behind other faults"],
)
def test_names_what_the_machine_lacks(fault: BaseException, lacking: str) -> None:
    problem = shortage(fault)

    assert problem is not None
    assert problem.detail.startswith(f"The hub's machine has no {lacking} left ")
    assert problem.headers == {"Retry-After": "30"}


def test_other_faults_are_none_of_the_machine_unless_the_caller_knows_better() -> None:
    fault = OSError(errno.ECONNREFUSED, "")

    assert shortage(fault) is None
    assert "no processes left" in shortage(fault, "processes").detail
    assert "no open files left" in shortage(OSError(errno.EMFILE, ""), "processes").detail


def test_what_fails_is_logged_with_a_traceback_unless_the_machine_lacks_something(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = logging.getLogger("hub.example")

    log_failure(log, "reading", caused(KeyError("x"), MemoryError()))
    log_failure(log, "counting", ZeroDivisionError())

    assert cause(OSError(errno.EMFILE, "")) == "the machine has no open files left"
    assert [(one.getMessage(), one.exc_info is None) for one in caplog.records] == [
        ("reading: the machine has no memory left", True),
        ("counting: ZeroDivisionError", False),
    ]


def test_causes_in_a_circle_come_once_each() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__context__ = other, one

    assert causes(one) == [one, other]
