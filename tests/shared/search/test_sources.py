from __future__ import annotations

from typing import Any

import pytest

from shared.search.sources import sources_of
from tests.builders import capability
from tests.shared.search.editions import edition
from tests.shared.sharing import EARLY, LATER, part


def test_what_lost_a_conflict_is_left_out_and_places_stay() -> None:
    sources = sources_of(
        edition(part("first", capability(1)), part("second", capability(1), capability(2), at=LATER))
    )

    assert [(place, entry.id) for place, entry in sources["first"].served()] == [(0, capability(1)["id"])]
    assert [(place, entry.id) for place, entry in sources["second"].served()] == [(1, capability(2)["id"])]


def test_a_source_without_content_is_none() -> None:
    assert sources_of(edition(part("off", capability(1), state="disabled"))) == {}


@pytest.mark.parametrize(
    ("rival", "entry", "same"),
    [
        pytest.param((), {}, True, id="nothing"),
        pytest.param((capability(2),), {}, True, id="another id of another repo"),
        pytest.param((), {"name": "New"}, False, id="the content"),
        pytest.param((capability(1),), {}, False, id="a conflict"),
    ],
)
def test_tells_whether_there_is_something_to_change(
    rival: tuple[dict[str, Any], ...], entry: dict[str, Any], same: bool
) -> None:
    before = sources_of(edition(part("ours", capability(1), at=LATER)))
    after = sources_of(edition(part("ours", capability(1, **entry), at=LATER), part("rival", *rival, at=EARLY)))

    assert before["ours"].says_the_same(after["ours"]) is same
