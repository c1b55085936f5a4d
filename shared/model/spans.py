"""Stretches of time with how many sources were in each state: how they grow, and how they are thinned. Pure.

Between two spans nothing was seen. Nothing is ever put in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.model.status import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# In seconds.
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
KEPT_SECONDS = 30 * _DAY
SILENCE_SECONDS = 5 * _MINUTE
"""A look later than this after the last one leaves a gap: the hub was off, or stood still."""

_WIDTHS = ((_DAY, _MINUTE), (7 * _DAY, 15 * _MINUTE))
_OLDEST_WIDTH = 2 * _HOUR
_IN_ORDER = frozenset({"fresh", "disabled"})
"""The states that need nobody: a disabled source is meant to be so."""


class Span(NamedTuple):
    """From *since* to *until* (seconds since the epoch) so many sources were in each of the STATES, in their order."""

    since: int
    until: int
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many sources there were."""
        return sum(self.counts)

    @property
    def troubled(self) -> int:
        """How many of them a person should have looked into."""
        return sum(number for state, number in zip(STATES, self.counts, strict=True) if state not in _IN_ORDER)


def with_look(spans: Sequence[Span], now: int, counts: tuple[int, ...], *, first: bool) -> list[Span]:
    """Return *spans* after a look at *now* that saw *counts*; *first* is the first look of a process.

    The last span goes on only if the last look is at most SILENCE_SECONDS ago. What lies ahead of *now*, because the
    clock was set back, is dropped.
    """
    history = [span._replace(until=min(span.until, now)) for span in spans if span.since <= now]
    if history and not first and now - history[-1].until <= SILENCE_SECONDS:
        history[-1] = history[-1]._replace(until=now)
        if history[-1].counts == counts:
            return history
    return [*history, Span(now, now, counts)]


def thinned(spans: Iterable[Span], now: int) -> list[Span]:
    """Return what is kept of *spans*: minutes for a day, quarters of an hour for a week, two hours for a month."""

    def width(span: Span) -> int:
        return next((width for age, width in _WIDTHS if now - span.since < age), _OLDEST_WIDTH)

    recent = (span._replace(since=max(span.since, now - KEPT_SECONDS)) for span in spans)
    return coarse([span for span in recent if span.since <= span.until], width)


def coarse(spans: Iterable[Span], width: Callable[[Span], int]) -> list[Span]:
    """Return *spans* with at most one beginning in each stretch of *width* seconds: the one with most in trouble.

    So a short trouble looks longer than it was, and never disappears.
    """
    result: list[Span] = []
    for span in spans:
        rest: Span | None = span
        if result:
            result[-1], rest = _merged(result[-1], span, _end(result[-1], width(result[-1])))
        if rest is not None:
            result.append(rest)
    return result


def _end(span: Span, width: int) -> int:
    """Return where the stretch ends in which *span* begins."""
    return span.since - span.since % width + width


def _merged(before: Span, span: Span, end: int) -> tuple[Span, Span | None]:
    """Return one span for both up to *end*, and the rest of *span* after it, None where there is none."""
    joined = before.until == span.since
    if joined and before.counts == span.counts:
        return before._replace(until=span.until), None
    if span.since >= end:
        return before, span
    part = span._replace(until=min(span.until, end))
    worse = max(before, part, key=lambda span: (span.troubled, span.until - span.since))
    # Of two with a gap between them one goes, and the gap grows: it is not filled with what nobody saw.
    stands = Span(before.since, part.until, worse.counts) if joined else worse
    return stands, span._replace(since=end) if span.until > end else None
