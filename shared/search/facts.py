"""Facts of capabilities, by which searches filter and count: each is a kind and a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.model.capability import Capability
    from shared.model.compose import Part

LETTERS = {"definition": "D", "availability": "A", "consumption": "C", "reliability": "R"}
"""The kinds of fact that the maturity vector states, and the letter of each."""

KINDS = ("domain", "repo", "status", "tag", "owner", "consumption_mode", *LETTERS)
"""The kinds that callers may filter by and count."""

LEVELS = range(10)
_LEVEL = re.compile(r"(?<![A-Za-z0-9])([DACR])([0-9])(?![A-Za-z0-9])")
_BY_LETTER = {letter: kind for kind, letter in LETTERS.items()}


def facts(part: Part, capability: Capability) -> Iterator[tuple[str, str]]:
    """Yield the facts about *capability*, one of the entries of *part*; a fact may come twice."""
    yield "repo", part.repo
    yield "domain", domain_of(part, capability)
    if status := capability.status:
        yield "status", status
    if owner := capability.owner:
        yield "owner", owner
    for tag in capability.tags:
        yield "tag", tag
    for mode in capability.consumption_modes:
        yield "consumption_mode", mode
    yield from levels(capability.vector).items()


def domain_of(part: Part, capability: Capability) -> str:
    """Return the domain of *capability*: its own, else the index's, else the registration's."""
    index = part.content.domain if part.content else None
    return capability.domain or index or part.registration.domain


def levels(vector: str) -> dict[str, str]:
    """Return the levels in a maturity vector, ``{"availability": "A4", ...}``; the first one of a letter counts."""
    codes: dict[str, str] = {}
    for letter, level in _LEVEL.findall(vector):
        codes.setdefault(_BY_LETTER[letter], letter + level)
    return codes


def at_least(kind: str, level: int) -> tuple[str, ...]:
    """Return the values of *kind* from *level* upwards, such as ``("A7", "A8", "A9")``."""
    return tuple(f"{LETTERS[kind]}{number}" for number in LEVELS if number >= level)
