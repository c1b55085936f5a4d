"""Since when each trouble of the federated index lasts: what is missing, and which ids are disputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.compose import Composition


def missing(repo: str) -> str:
    """Return the name of the trouble that the required *repo* has nothing to serve."""
    return f"missing {repo}"


def disputed(entry_id: str, winner: str, loser: str) -> str:
    """Return the name of the trouble that *winner* serves an id which *loser* claims too."""
    return f"disputed {entry_id} {winner} {loser}"


def dated(composition: Composition, before: Mapping[str, str], now: str) -> dict[str, str]:
    """Return since when each trouble of *composition* lasts: as it was *before*, or from *now* on."""
    return {trouble: before.get(trouble, now) for trouble in _troubles(composition)}


def _troubles(composition: Composition) -> Iterable[str]:
    yield from map(missing, composition.missing_required)
    for conflict in composition.conflicts:
        for other in conflict["others"]:
            yield disputed(conflict["id"], conflict["repo"], other["repo"])
