from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from shared.federation.edition import ServedCounts
from shared.model.status import STATES, State
from shared.pages.badge import badge

SVG = "{http://www.w3.org/2000/svg}"


def standing(served: int, entries: int | None = None) -> ServedCounts:
    return ServedCounts(served if entries is None else entries, served, ())


@pytest.mark.parametrize("state", STATES)
def test_says_its_state_in_a_word_to_everyone(state: State) -> None:
    serves = state in {"fresh", "stale", "held"}
    picture = ET.fromstring(badge(state, standing(3 if serves else 0))[0])  # noqa: S314 - our own

    said = f"{state} · 3 capabilities" if serves else state
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["reuse-surface", said]
    assert picture.get("aria-label") == picture.findtext(f"{SVG}title") == f"reuse-surface: {said}"
    assert picture.get("height") == "20"


@pytest.mark.parametrize(
    ("served", "entries", "said"),
    [(0, 15, "0 of 15 capabilities"), (11, 12, "11 of 12 capabilities"), (0, 1, "0 of 1 capability"),
     (1200, 3000, "1,200 of 3,000 capabilities"), (1, 1, "1 capability")],
)  # fmt: skip
def test_counts_what_is_served(served: int, entries: int, said: str) -> None:
    assert f"<title>reuse-surface: fresh · {said}</title>" in badge("fresh", standing(served, entries))[0].decode()


def test_colour_and_shape_differ_by_state() -> None:
    pictures = [badge(state, standing(0))[0].decode() for state in STATES]

    assert len({picture.split('fill="')[1][:7] for picture in pictures}) == len(STATES)
    assert len({picture.split("4)")[1].split("</g>")[0] for picture in pictures}) == len(STATES)


def test_the_tag_is_that_of_the_picture() -> None:
    one, other = badge("fresh", standing(1)), badge("fresh", standing(2))

    assert one == badge("fresh", standing(1))
    assert one[1] != other[1]
