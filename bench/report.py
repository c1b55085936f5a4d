"""The table of figures as text and Markdown, and the curves of growth as SVG."""

from __future__ import annotations

import math
import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.load import generator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench.figures import Figure

PACKAGES = ("starlette", "uvicorn", "httptools", "httpx", "tinydb", "orjson", "PyYAML")
_HEAD = ("work", "size", "hub", "limit", "unit", "ratio", "goal", "met")
_MET = {None: "", True: "yes", False: "no"}


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits that mean something


def cells(figure: Figure) -> tuple[str, ...]:
    """Return the row of *figure*."""
    limit = _number(figure.limit)
    if figure.against:
        limit += f" ({figure.against})"
    ratio = "-" if math.isnan(figure.ratio) else f"{figure.ratio:.2f}"
    goal = figure.goal.text if figure.goal else ""
    size = f"{figure.size:,}"
    return (figure.work, size, _number(figure.hub), limit, figure.unit, ratio, goal, _MET[figure.met])


def line(figure: Figure) -> str:
    """Return the row for a terminal."""
    work, size, hub, limit, unit, ratio, goal, met = cells(figure)
    return f"{work:48} {size:>7} {hub:>8} {unit:10} {ratio:>6} {goal:13} {met:4} against {limit}"


def machine() -> str:
    """Return what the figures were measured on and with."""
    named = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; {named}; load by {generator()}."
    )


def write_table(path: Path, figures: Sequence[Figure], how: str) -> None:
    """Write the whole table down as Markdown."""
    rows = [_HEAD, ("---",) * len(_HEAD), *map(cells, figures)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# The last measurement\n\n`{how}` on {machine()}\n\n{table}\n", encoding="utf-8")


_WIDTH, _ROW, _LEFT, _PLOT = 720, 150, 300, 360


def write_curves(path: Path, figures: Iterable[Figure]) -> None:
    """Draw hub and limit of each work over the sizes, both axes logarithmic, one small picture below the other."""
    works: dict[str, list[Figure]] = {}
    for figure in figures:
        if figure.size:
            works.setdefault(figure.work, []).append(figure)
    grown = {work: rows for work, rows in works.items() if len(rows) > 1}
    drawn = [_curve(place, work, rows) for place, (work, rows) in enumerate(grown.items())]
    height = _ROW * len(drawn) + 10
    style = (
        "text{font:13px system-ui,sans-serif;fill:#333}.s{font-size:11px;fill:#666}"
        ".hub{stroke:#0b6e4f;fill:none;stroke-width:2}.limit{stroke:#999;fill:none;stroke-width:2;stroke-dasharray:5 4}"
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Growth of each figure over the number of repos">\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{"".join(drawn)}</svg>\n',
        encoding="utf-8",
    )


def _curve(place: int, work: str, rows: list[Figure]) -> str:
    top = place * _ROW + 20
    values = [value for row in rows for value in (row.hub, row.limit) if value > 0]
    least, most = math.log10(min(values)) - 0.1, math.log10(max(values)) + 0.1
    sizes = [math.log10(row.size) for row in rows]

    def points(chosen: list[float]) -> str:
        pairs = [
            f"{_LEFT + (size - sizes[0]) / (sizes[-1] - sizes[0]) * _PLOT:.1f},"
            f"{top + (most - math.log10(value)) / (most - least) * (_ROW - 60):.1f}"
            for size, value in zip(sizes, chosen, strict=True)
            if value > 0
        ]
        return " ".join(pairs)

    labels = "".join(
        f'<text class="s" x="{_LEFT + (size - sizes[0]) / (sizes[-1] - sizes[0]) * _PLOT:.0f}" y="{top + _ROW - 40}" '
        f'text-anchor="middle">{row.size:,}: {_number(row.hub)}</text>\n'
        for size, row in zip(sizes, rows, strict=True)
    )
    return (
        f'<text x="10" y="{top + 30}">{work}</text>\n'
        f'<text class="s" x="10" y="{top + 48}">{rows[0].unit}; dashed: {rows[0].against}</text>\n'
        f'<polyline class="limit" points="{points([row.limit for row in rows])}"/>\n'
        f'<polyline class="hub" points="{points([row.hub for row in rows])}"/>\n{labels}'
    )
