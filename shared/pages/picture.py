"""The picture of the federation: a disc for each source, its area by its served entries, in a group for each domain.

Pure geometry. The discs of a domain lie like the seeds of a sunflower (phyllotaxis): the largest in the middle, each
next one a golden angle further round, as near to the middle as it fits without touching another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from cachetools import LRUCache, cached

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.pages.summary import Domain, RepoRow

MOST_DISCS = 1500
_CACHED_DISCS = 10 * MOST_DISCS
# Square pixels of all discs together, so that a hub of ten sources and one of a thousand fill about the same space.
_INK = 120_000.0
# Pixels: the least and the greatest radius.
_LEAST, _MOST = 5.0, 48.0
_LARGEST_UNIT = 9.0
_GAP = 2.0
# Discs fill no more than this share of the plane, so the search for a free place starts at that distance.
_DENSEST = 0.75
# Pixels: the side of a square of the grid.
_SQUARE = 12.0
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class Disc:
    """The circle of a source: centre *x*, *y* and radius *r*, in pixels."""

    row: RepoRow
    x: float
    y: float
    r: float


@dataclass(frozen=True, slots=True)
class Flower:
    """One domain and its discs, in a box of *width* by *height* pixels."""

    domain: Domain
    discs: Sequence[Disc]
    width: int
    height: int


def flowers(domains: Sequence[Domain]) -> list[Flower]:
    """Return a group for each of *domains*, with 1,500 discs in all at most: the first domains get theirs first."""
    unit = _unit(row.served for domain in domains for row in domain.rows)
    drawing, room = [], MOST_DISCS
    for domain in domains:
        drawing.append(_flower(domain, domain.rows[:room], unit))
        room -= len(drawing[-1].discs)
    return drawing


def _unit(amounts: Iterable[int]) -> float:
    """Return the radius in pixels of a source with one entry, such that all discs together have the area _INK."""
    return min(_LARGEST_UNIT, math.sqrt(_INK / (math.pi * max(1, sum(amounts)))))


def _flower(domain: Domain, rows: Sequence[RepoRow], unit: float) -> Flower:
    radii = tuple(round(min(max(unit * math.sqrt(row.served), _LEAST), _MOST), 1) for row in rows)
    places = sunflower(radii)
    left = min((x - r for (x, _), r in zip(places, radii, strict=True)), default=0.0) - 1
    top = min((y - r for (_, y), r in zip(places, radii, strict=True)), default=0.0) - 1
    discs = [
        Disc(row, round(x - left, 1), round(y - top, 1), r)
        for row, (x, y), r in zip(rows, places, radii, strict=True)
    ]
    width = math.ceil(max((disc.x + disc.r for disc in discs), default=0.0) + 1)
    height = math.ceil(max((disc.y + disc.r for disc in discs), default=0.0) + 1)
    return Flower(domain, discs, width, height)


@cached(LRUCache(_CACHED_DISCS, lambda places: len(places) + 1), lock=Lock())
def sunflower(radii: tuple[float, ...]) -> list[tuple[float, float]]:
    """Return the centres, around the origin, of discs with *radii*, the largest first; none touches another."""
    ground = _Ground()
    places, ink = [], 0.0
    for number, radius in enumerate(radii):
        distance, angle = math.sqrt(ink / _DENSEST), number * _GOLDEN_ANGLE
        dx, dy = math.cos(angle), math.sin(angle)
        while not ground.takes(distance * dx, distance * dy, radius):
            distance += 1.0
        places.append((distance * dx, distance * dy))
        ink += radius * radius
    return places


class _Ground:
    """A grid of squares with the discs that reach into each, so that few discs are compared with a new one."""

    def __init__(self) -> None:
        self._squares: dict[tuple[int, int], list[tuple[float, float, float]]] = {}

    def takes(self, x: float, y: float, r: float) -> bool:
        """Add a disc and return True, or return False where it would touch another."""
        reach = r + _GAP
        columns = range(math.floor((x - reach) / _SQUARE), math.floor((x + reach) / _SQUARE) + 1)
        rows = range(math.floor((y - reach) / _SQUARE), math.floor((y + reach) / _SQUARE) + 1)
        squares = [(column, row) for column in columns for row in rows]
        for square in squares:
            for ox, oy, other in self._squares.get(square, ()):
                if math.hypot(x - ox, y - oy) < reach + other:
                    return False
        for square in squares:
            self._squares.setdefault(square, []).append((x, y, r))
        return True
