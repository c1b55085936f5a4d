from __future__ import annotations

import math
from itertools import combinations

import pytest

from shared.pages.picture import MOST_DISCS, flowers, sunflower
from shared.pages.summary import by_domain
from tests.shared.pages.rows import row

RADII = {
    "one": (9.0,),
    "equal ones": (6.0,) * 60,
    "one giant": (48.0, *[5.0] * 40),
    "many sizes": tuple(float(48 - number // 4) for number in range(160)),
}


@pytest.mark.parametrize("radii", RADII.values(), ids=RADII)
def test_no_disc_touches_another(radii: tuple[float, ...]) -> None:
    discs = [(*place, r) for place, r in zip(sunflower(radii), radii, strict=True)]

    assert len(discs) == len(radii)
    for (ax, ay, ar), (bx, by, br) in combinations(discs, 2):
        assert math.hypot(ax - bx, ay - by) > ar + br


def test_the_largest_lies_in_the_middle_and_the_flower_stays_small() -> None:
    places = sunflower((20.0, *[8.0] * 100))

    assert places[0] == (0.0, 0.0)
    ink = 400 + 100 * 64
    assert max(math.hypot(x, y) for x, y in places) < 2 * math.sqrt(ink)


def test_a_disc_is_as_large_as_what_its_source_offers() -> None:
    (flower,) = flowers(by_domain([row("a", served=16), row("b", served=4), row("c", served=0)]))

    largest, middle, least = flower.discs
    assert [disc.row.registration.repo for disc in flower.discs] == ["a", "b", "c"]
    assert largest.r == pytest.approx(2 * middle.r, abs=0.1)
    assert least.r == 5.0


def test_every_disc_lies_in_the_box_of_its_flower() -> None:
    rows = [row(f"r{number}", domain=f"d{number % 3}", served=number) for number in range(60)]

    for flower in flowers(by_domain(rows)):
        assert len(flower.discs) == 20
        for disc in flower.discs:
            assert disc.r <= disc.x <= flower.width - disc.r
            assert disc.r <= disc.y <= flower.height - disc.r


def test_of_very_many_sources_the_largest_are_drawn() -> None:
    rows = [row(f"r{number}", domain=f"d{number % 2}", served=number % 7) for number in range(MOST_DISCS + 400)]

    first, second = flowers(by_domain(rows))

    assert len(first.discs) + len(second.discs) == MOST_DISCS
    assert len(first.discs) == len(first.domain.rows)
    assert min(disc.row.served for disc in second.discs) >= second.domain.rows[len(second.discs)].served


def test_a_domain_without_room_for_a_disc_is_still_told_of() -> None:
    rows = [row(f"r{number}", served=1) for number in range(MOST_DISCS)]

    *_, last = flowers(by_domain([*rows, row("late", domain="other", served=0)]))

    assert (last.domain.name, last.discs) == ("other", [])


def test_nothing_is_drawn_of_nothing() -> None:
    assert flowers([]) == []
