from __future__ import annotations

import pytest

from shared.fetch import Validators
from shared.index import Content, read_index
from shared.sources.held import PATIENCE_SECONDS, Held, shrinks, vanishing
from shared.sources.shelf import Kept
from tests.builders import capability, index

KEPT = Kept("https://a.example/", Validators('"1"'), "2026-11-23T10:00:00Z", read_index(index(), "a"))


def content(*numbers: int) -> Content:
    entries = ",".join(index(capability(n)).decode()[32:-2] for n in numbers)
    return read_index(f'{{"version": 1, "capabilities": [{entries}]}}'.encode(), "a")


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        pytest.param(0, range(0), False, id="empty as before"),
        pytest.param(0, range(9), False, id="the first entries"),
        pytest.param(1, range(0), True, id="the only one gone"),
        pytest.param(1, [7], False, id="the only one renamed"),
        pytest.param(2, [0], False, id="one of two gone"),
        pytest.param(2, range(0), True, id="both gone"),
        pytest.param(2, [7, 8], True, id="both renamed"),
        pytest.param(3, [0], True, id="two of three gone"),
        pytest.param(10, range(3, 10), False, id="exactly 30 % gone"),
        pytest.param(10, range(4, 10), True, id="40 % gone"),
        pytest.param(10, range(4, 99), True, id="40 % gone however many come"),
        pytest.param(20, range(6, 20), False, id="30 % of twenty"),
        pytest.param(20, range(7, 20), True, id="35 % of twenty"),
    ],
)
def test_holds_what_would_take_too_much_away(before: int, after: range, held: bool) -> None:
    assert shrinks(content(*range(before)), content(*after)) is held


def test_names_what_would_vanish() -> None:
    assert vanishing(content(1, 2, 3), content(2, 4)) == ["capability.example.n1", "capability.example.n3"]


def test_content_that_every_check_of_a_day_saw_has_waited_long_enough() -> None:
    held = Held(KEPT, 100.0, "S")

    assert [held.outwaited(100 + age) for age in (0, PATIENCE_SECONDS - 1, PATIENCE_SECONDS)] == [False, False, True]


def test_a_check_that_missed_it_begins_the_day_anew() -> None:
    again = Kept(KEPT.url, Validators('"2"'), "2026-11-24T10:00:00Z", KEPT.content)
    missed = Held(KEPT, 100.0, "S").missed()

    seen = missed.again(again, 500.0, "T")
    kept_on = seen.again(again, 900.0, "U")

    assert not missed.outwaited(10 * PATIENCE_SECONDS)
    assert (seen.seen, seen.seen_since) == (kept_on.seen, kept_on.seen_since) == (500.0, "T")
    assert (seen.kept.validators.etag, seen.kept.changed_at) == ('"2"', KEPT.changed_at)
