from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from shared.pages.badge import badge
from shared.sources.status import STATES, State, Status

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("state", STATES)
def test_says_its_state_in_a_word_to_everyone(state: State) -> None:
    picture = ET.fromstring(badge(Status(state=state, capability_count=3))[0])  # noqa: S314 - our own

    said = f"{state} · 3 capabilities" if state in {"fresh", "stale", "held"} else state
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["reuse-surface", said]
    assert picture.get("aria-label") == picture.findtext(f"{SVG}title") == f"reuse-surface: {said}"
    assert picture.get("height") == "20"


def test_colour_and_shape_differ_by_state() -> None:
    pictures = [badge(Status(state=state))[0].decode() for state in STATES]

    assert len({picture.split('fill="')[1][:7] for picture in pictures}) == len(STATES)
    assert len({picture.split("4)")[1].split("</g>")[0] for picture in pictures}) == len(STATES)


def test_the_tag_is_that_of_the_picture() -> None:
    one, other = badge(Status(state="fresh", capability_count=1)), badge(Status(state="fresh", capability_count=2))

    assert one == badge(Status(state="fresh", capability_count=1))
    assert one[1] != other[1]
    assert "1 capability<" in one[0].decode()
