"""The last changes in the entries of one source, as the change feed remembers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.federation.lines import Line

MOST_TURNS = 8


class Turn(NamedTuple):
    """What the serials from *first* to *serial* changed in a source: ids that came or changed, and those that went."""

    first: int
    serial: int
    came: list[str]
    went: list[str]


def recent(lines: Sequence[Line], repo: str) -> list[Turn]:
    """Return the last turns of *repo* in *lines*, the newest first."""
    turns: list[Turn] = []
    name = f'"{repo}"'.encode()
    for line in reversed(lines):
        # Reading a line takes long next to looking whether it names the repo at all.
        ids = line.delta.capabilities.get(repo) if name in line.text else None
        if ids:
            came = [entry_id for entry_id, there in ids.items() if there]
            went = [entry_id for entry_id, there in ids.items() if not there]
            turns.append(Turn(line.first, line.serial, came, went))
        if len(turns) == MOST_TURNS:
            break
    return turns
