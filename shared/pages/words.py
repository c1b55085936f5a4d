"""The words of pages: sentences for states, times as people say them, numbers with their nouns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from shared.model.status import State

STATES: dict[State, str] = {
    "fresh": "The last check found it in order.",
    "held": "The index lost many entries; those before stay in use until that is accepted, or seen for 24 hours.",
    "stale": "The last check failed or is long overdue, or a new URL was not read yet; what was good before is served.",
    "failed": "The last check failed, and nothing of it is served.",
    "never": "It has not been read yet.",
    "disabled": "It is disabled: the hub neither checks nor serves it, and keeps what it knows of it.",
}
"""The meaning of every state, the best state first."""

NEEDS_A_LOOK: tuple[State, ...] = ("failed", "held", "stale", "never")
"""The states that a person should look into, the worst first."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Seconds that people call "just now"; from here on a minute is the nearest unit.
_NOW = 45
_UNITS = ((_MINUTE, _HOUR, "min"), (_HOUR, 2 * _DAY, "h"), (_DAY, 60 * _DAY, "days"), (30 * _DAY, 1e12, "months"))


def ago(stamp: str, now: datetime) -> str:
    """Return how far *stamp* (RFC 3339) lies from *now*: ``4 min ago``, ``in 2 h``, ``just now``."""
    seconds = (now - datetime.fromisoformat(stamp)).total_seconds()
    if abs(seconds) < _NOW:
        return "just now" if seconds >= 0 else "in a moment"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def span(seconds: float) -> str:
    """Return *seconds* in the largest unit that fits, such as ``4 min``; under a minute is 1 min."""
    size, unit = next((size, unit) for size, below, unit in _UNITS if seconds < below)
    return f"{max(round(seconds / size), 1)} {unit}"


def moment(stamp: str) -> str:
    """Return *stamp* (RFC 3339) for people, to the minute: ``23 Nov 2026, 10:00 UTC``.

    One that is beyond the years 1 to 9999 in UTC is returned as it is.
    """
    try:
        at = datetime.fromisoformat(stamp).astimezone(UTC)
    except OverflowError:
        return stamp
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """Return *number* with its noun: ``1 source``, ``1,203 sources``; *nouns* is a plural that is not made by s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def web_address(url: object) -> str:
    """Return *url* where it is an http or https URL, else an empty text: no link runs a script."""
    text = str(url)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.netloc else ""
