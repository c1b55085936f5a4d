from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.stored_content import PATIENCE_SECONDS, Loss, StoredContent
from shared.sources.shrink_guard import MOST_PAST, loss_within_a_day, past_of, shrinks, vanishing
from tests.builders import capability, index

if TYPE_CHECKING:
    from shared.model.content import Content

KEPT = StoredContent("https://a.example/", Validators('"1"'), "2026-11-23T10:00:00Z", read_index(index(), "a"))


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


def through(*steps: tuple[float, Content]) -> StoredContent:
    """Return what is kept after *steps* of content that was let in at a time."""
    (_, first), *rest = steps
    kept = replace(KEPT, content=first)
    for now, new in rest:
        kept = replace(kept, content=new, past=past_of(kept, new, now))
    return kept


def test_the_measure_is_the_largest_set_of_the_last_day() -> None:
    kept = through((0, content(*range(10))), (10, content(*range(8))), (20, content(*range(7))))

    assert loss_within_a_day(kept, content(*range(5)), 30) == Loss(5, 10)
    # A day after the ten were last served the eight are the largest.
    assert loss_within_a_day(kept, content(*range(5)), 10 + PATIENCE_SECONDS) == Loss(3, 8)
    assert loss_within_a_day(kept, content(*range(5)), 20 + PATIENCE_SECONDS) is None


def test_what_grows_needs_no_past() -> None:
    kept = through((0, content(1, 2)), (10, content(1)), (20, content(1, 2, 3)))

    assert kept.past == ()
    assert loss_within_a_day(kept, content(1), 30) is None


def test_of_two_equally_large_sets_the_older_one_is_the_measure() -> None:
    kept = through((0, content(*range(10))), (10, content(*range(2, 12))), (20, content(*range(4, 14))))

    assert loss_within_a_day(kept, content(*range(4, 14)), 30) == Loss(4, 10)


def test_few_sets_are_remembered_and_the_measure_is_never_less_than_it_was() -> None:
    steps = [(float(10 * number), content(*range(60 - number))) for number in range(30)]

    kept = through(*steps)

    assert len(kept.past) == MOST_PAST
    for now in (290.0, 10 + PATIENCE_SECONDS, 150 + PATIENCE_SECONDS):
        pairs = itertools.pairwise(steps)
        served = [len(after.entries) for (_, after), (until, _) in pairs if now - until < PATIENCE_SECONDS]
        loss = loss_within_a_day(kept, content(), now)
        assert loss is not None
        assert loss.of >= max(served)


def test_what_is_served_now_is_the_measure_where_it_is_more_than_the_day_served() -> None:
    kept = through((0, content(1, 2)), (10, content(1)))

    assert loss_within_a_day(replace(kept, content=content(*range(9))), content(1), 30) is None
