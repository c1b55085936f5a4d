from __future__ import annotations

import sys

from shared.formats.documents import Fault
from shared.model.record import MOST_BYTES, MOST_FAULTS, dated_faults

FAULT = Fault(3, 7, "/capabilities/0/id", "is required")


def test_a_fault_keeps_its_date_while_it_lasts() -> None:
    first = dated_faults([FAULT], (), "T1")

    again = dated_faults([FAULT._replace(line=9), FAULT._replace(pointer="/version")], first, "T2")

    assert [(fault.line, fault.pointer, fault.since) for fault in again] == [
        (9, "/capabilities/0/id", "T1"),
        (3, "/version", "T2"),
    ]
    assert (again[0].column, again[0].detail, again[0].hint) == (7, "is required", None)
    assert dated_faults([], again, "T3") == ()


def test_a_hundred_faults_are_remembered() -> None:
    assert len(dated_faults([FAULT] * 300, (), "T")) == MOST_FAULTS


def test_faults_with_long_names_are_remembered_as_far_as_their_bytes_go() -> None:
    name, detail = "k" * 480, "d" * 500
    long = [FAULT._replace(pointer=f"/capabilities/0/{name}", detail=f"{number} {detail}") for number in range(100)]

    first = dated_faults(long, (), "T")

    size = sum(sys.getsizeof(text) for fault in first for text in fault[2:5])
    assert MOST_BYTES * 0.9 < size <= MOST_BYTES
    assert [fault.detail for fault in first] == [fault.detail for fault in long[: len(first)]]
