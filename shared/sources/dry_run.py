"""A dry run of a registration: its source is fetched and read like any other, and nothing is stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from shared.fetch import TalkTime
from shared.problems import SourceProblem
from shared.validation import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.clock import Clock
    from shared.model.compose import Part
    from shared.model.content import Content
    from shared.model.registration import RegistrationFields
    from shared.sources.check import Checker, CheckResult
    from shared.sources.room import ContentRoom


class DryRun:
    """Checks a source that is not registered, and stores nothing of it."""

    def __init__(self, checker: Checker, room: ContentRoom, clock: Clock) -> None:
        self._checker = checker
        self._room = room
        self._clock = clock

    async def run(self, fields: RegistrationFields, parts: Iterable[Part], owner: str = "") -> dict[str, Any]:
        """Return the answer to a dry run: the fetch, all errors, the entries, and their conflicts with *parts*.

        *owner* is the token that asks, of whose share of the origin's connections one is taken. A problem of the source
        is part of the answer and not raised. Of the entries those without a conflict would be served, none where the
        source is disabled or has no room.
        """
        talk = TalkTime(self._clock, owner)
        result, problem = await self._fetched(fields, talk)
        content = result.content if result else None
        entries = content.entries if content else ()
        # In a thread: there may be tens of thousands of entries, here and in all other sources.
        comparison = asyncio.to_thread(_compared, fields.repo, content, parts) if content else None
        conflicting, capabilities = await comparison if comparison else ([], [])
        return {
            "fetch": {
                "outcome": "failed" if problem else "fetched",
                "http_status": result.http_status if result else problem and problem.source_status,
                "bytes": result.size if result else None,
                "duration_ms": talk.milliseconds,
                "error": {"type": problem.slug, "detail": problem.detail} if problem else None,
            },
            "errors": as_json(problem.faults) if problem else [],
            "capability_count": len(entries),
            "served_count": len(entries) - len(conflicting) if fields.enabled and not problem else 0,
            "capabilities": capabilities,
            "conflicts": conflicting,
        }

    async def _fetched(
        self, fields: RegistrationFields, talk: TalkTime
    ) -> tuple[CheckResult | None, SourceProblem | None]:
        """Return the result of the check and the problem of the source; both where good content has no room."""
        result = None
        try:
            result = await self._checker.check(fields.repo, fields.url, talk=talk)
            self._room.require((), result.content)
        except SourceProblem as problem:
            return result, problem
        return result, None


def _compared(repo: str, content: Content, parts: Iterable[Part]) -> tuple[list[dict[str, Any]], list[orjson.Fragment]]:
    """Return the conflicts of *content* with *parts*, and its entries as they are answered."""
    return conflicts(repo, content, parts), [orjson.Fragment(entry.json) for entry in content.entries]


def conflicts(repo: str, content: Content, parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return which ids of *content* other repos publish already, who serves each, and whether both say the same."""
    new = {entry.id: entry for entry in content.entries}
    result: dict[str, dict[str, Any]] = {}
    # In the order of ``compose``: of several repos that claim an id, the first one here serves it.
    for part in sorted(parts, key=lambda part: part.registration.precedence):
        for entry in part.content.entries if part.content and part.repo != repo else ():
            if entry.id in new and entry.id not in result:
                result[entry.id] = {"id": entry.id, "repo": part.repo, "identical": new[entry.id].says_the_same(entry)}
    return [result[entry_id] for entry_id in sorted(result)]
