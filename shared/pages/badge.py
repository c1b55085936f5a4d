"""The badge of a source, an SVG: its state as a word, a colour and a shape, and how many entries of it are served."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from shared.pages.words import count

if TYPE_CHECKING:
    from shared.federation.edition import ServedCounts
    from shared.model.status import State

_LABEL = "reuse-surface"
_COLOURS: dict[State, str] = {
    "fresh": "#1f7a53",
    "held": "#8a5a00",
    "stale": "#a8480b",
    "failed": "#b3261e",
    "never": "#4a5b86",
    "disabled": "#5d6470",
}
_SHAPES: dict[State, str] = {
    "fresh": '<path d="M2 6.5 5 9.5 10.5 3" fill="none" stroke="#fff" stroke-width="2"/>',
    "held": '<path d="M3 2v8M9 2v8" stroke="#fff" stroke-width="2.5"/>',
    "stale": '<path d="M6 2v4.5L9 9" fill="none" stroke="#fff" stroke-width="2"/>',
    "failed": '<path d="m2 2 8 8M10 2l-8 8" stroke="#fff" stroke-width="2"/>',
    "never": '<circle cx="6" cy="6" r="4" fill="none" stroke="#fff" stroke-width="2" stroke-dasharray="2 2"/>',
    "disabled": '<path d="M2 6h8" stroke="#fff" stroke-width="2.5"/>',
}
# Letters of Verdana at 11 pixels that are much narrower or wider than the others.
_NARROW, _WIDE = "fijlt ·-:,.", "mw"
_TEMPLATE = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{said}">
<title>{said}</title>
<rect width="{width}" height="20" rx="4" fill="{colour}"/>
<path d="M0 4a4 4 0 0 1 4-4H{left}v20H4a4 4 0 0 1-4-4Z" fill="#2b313c"/>
<g transform="translate({shape} 4)">{drawn}</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="8" y="14" textLength="{label_width}">{label}</text>
<text x="{text}" y="14" textLength="{value_width}">{value}</text>
</g>
</svg>
"""


def badge(state: State, standing: ServedCounts) -> tuple[bytes, str]:
    """Return the SVG for a source in *state* with the counts *standing*, and its strong entity tag."""
    value: str = state
    if standing.entries:
        some = "" if standing.served == standing.entries else f"{standing.served:,} of "
        value += f" · {some}{count(standing.entries, 'capability', 'capabilities')}"
    label_width, value_width = _width(_LABEL), _width(value)
    left = label_width + 16
    body = _TEMPLATE.format(
        width=left + value_width + 34, left=left, shape=left + 8, text=left + 26,
        label=_LABEL, label_width=label_width, value=value, value_width=value_width,
        said=f"{_LABEL}: {value}", colour=_COLOURS[state], drawn=_SHAPES[state],
    ).encode()  # fmt: skip
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _width(text: str) -> int:
    """Return the approximate width of *text* in pixels; ``textLength`` sets it to exactly that in every font."""
    return round(sum(4.4 if letter in _NARROW else 10 if letter in _WIDE else 7 for letter in text))
