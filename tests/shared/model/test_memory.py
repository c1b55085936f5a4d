from __future__ import annotations

import sys

from shared.formats.documents import Fault
from shared.model.memory import MOST_BYTES, MOST_FAULTS, marked

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


def test_faults_with_long_names_are_remembered_as_far_as_their_bytes_go() -> None:
    name, detail = "k" * 480, "d" * 500
    long = [FAULT._replace(pointer=f"/capabilities/0/{name}", detail=f"{number} {detail}") for number in range(100)]

    first = marked(long, (), "T")

    size = sum(sys.getsizeof(text) for mark in first for text in mark[2:5])
    assert MOST_BYTES * 0.9 < size <= MOST_BYTES
    assert [mark.detail for mark in first] == [fault.detail for fault in long[: len(first)]]
