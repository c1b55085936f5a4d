from __future__ import annotations

import pytest

from shared.federation.changes import Changes
from shared.model.lines import ChangeLine, Delta
from shared.problems import SerialGone


def line(serial: int) -> ChangeLine:
    return ChangeLine.of(serial, f"s{serial}", Delta({f"repo{serial}": True}))


def kept(*serials: int) -> Changes:
    """Return the changes of *serials*, one after the other."""
    changes = Changes()
    changes.start(serials[0] - 1)
    for serial in serials:
        changes.with_line(line(serial))
        changes.keep(line(serial))
    return changes


def test_what_came_after_a_serial_is_told() -> None:
    changes = kept(4, 5, 6)

    assert (changes.oldest, [one.serial for one in changes.since(4)], changes.since(6)) == (3, [5, 6], [])


@pytest.mark.parametrize("serial", [0, 2, 7])
def test_what_is_not_known_is_gone(serial: int) -> None:
    with pytest.raises(SerialGone, match=f"Serial {serial} .* /v1/federated "):
        kept(4, 5, 6).since(serial)


def test_a_line_that_is_not_kept_does_not_count() -> None:
    changes = kept(4, 5)

    assert [one.serial for one in changes.with_line(line(6))] == [4, 5, 6]
    assert [one.serial for one in changes.since(3)] == [4, 5]
    assert [one.serial for one in changes.with_line(line(6))] == [4, 5, 6]


def test_a_start_goes_on_from_the_lines_that_are_there() -> None:
    changes = Changes()
    changes.start(9, [line(8), line(9)])

    assert (changes.oldest, [one.serial for one in changes.since(8)]) == (7, [9])
