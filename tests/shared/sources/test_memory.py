from __future__ import annotations

from shared.index import Fault
from shared.sources.memory import MOST_FAULTS, marked

FAULT = Fault(3, 7, "/capabilities/0/id", "is required")


def test_a_fault_keeps_its_date_while_it_lasts() -> None:
    first = marked([FAULT], (), "T1")

    again = marked([FAULT._replace(line=9), FAULT._replace(pointer="/version")], first, "T2")

    assert [(mark.line, mark.pointer, mark.since) for mark in again] == [
        (9, "/capabilities/0/id", "T1"),
        (3, "/version", "T2"),
    ]
    assert (again[0].column, again[0].detail, again[0].hint) == (7, "is required", None)
    assert marked([], again, "T3") == ()


def test_a_hundred_faults_are_remembered() -> None:
    assert len(marked([FAULT] * 300, (), "T")) == MOST_FAULTS
