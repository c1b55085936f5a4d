"""The changes since a serial, page by page: each name once, as it is served now or as gone."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.model.lines import union
from shared.parameters import cursor, cursor_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.federation.document import Document
    from shared.model.capability import Entry
    from shared.model.lines import ChangeLine

MOST_SERIAL = 2**53 - 1
"""The greatest integer that every reader of JSON reads exactly (RFC 8259 §6)."""

MOST_BYTES = 4 * 2**20
"""A page ends with the row that fills so much: some 10,000 entries are less, unless they are large."""

_SOURCE, _GONE_SOURCE, _CAPABILITY, _GONE_CAPABILITY, _CONFLICT = range(5)


_PLACE = re.compile("([0-9]{1,16}) ([0-4]) ([a-z0-9._-]{1,100}) ([a-z0-9._-]{0,200})")


class ChangePosition(NamedTuple):
    """Where a page ended: the serial that its reader will be at, and the name or the conflict that stood last on it."""

    serial: int
    kind: int
    repo: str
    id: str

    @classmethod
    def read(cls, text: str) -> ChangePosition:
        """Return the position in a cursor that a page gave as ``next``, or raise ValueError."""
        match = _PLACE.fullmatch(cursor(text))
        if match is None:
            raise ValueError("must be the next of an earlier page of changes, as it was given")
        return cls(int(match[1]), int(match[2]), match[3], match[4])

    def __str__(self) -> str:
        return cursor_to(" ".join(map(str, self)))


def page(
    document: Document, since: int, lines: Iterable[ChangeLine], limit: int, after: ChangePosition | None
) -> dict[str, Any]:
    """Return what *lines*, all those since *since*, changed: at most *limit* names, those *after* a place.

    Behind the names come the conflicts that there are now, as many as there is room for within *limit*: with thousands
    of them in each page, a page would cost what the whole does. A page ends early with the row that fills MOST_BYTES.

    The document may have gone on since the first page. Each page has what is served now, but the reader will be at
    the serial of the first, and so get again what happened to names that stood on earlier pages.
    """
    serial = after.serial if after else document.serial
    names = [name for name in _names(lines) if after is None or name > after[1:]]
    rows = _Rows(document)
    for name in names[:limit]:
        if not rows.full:
            rows.add(*name)
    behind = document.composition.conflicts
    if after is not None and after.kind == _CONFLICT:
        behind = behind[bisect_right(behind, after.id, key=itemgetter("id")) :]
    if len(rows.places) == len(names):
        for conflict in behind[: limit - len(names)]:
            if not rows.full:
                rows.add_conflict(conflict)
    ended = len(rows.places) == len(names) + len(behind)
    sources, gone_sources, capabilities, gone_capabilities, conflicts = rows.by_kind
    return {
        "since": since,
        "serial": serial,
        "head": document.head() | {"conflicts": conflicts},
        "sources": {"upserted": sources, "removed": gone_sources},
        "capabilities": {"upserted": capabilities, "removed": gone_capabilities},
        "next": None if ended else str(ChangePosition(serial, *rows.places[-1])),
    }


def _names(lines: Iterable[ChangeLine]) -> list[tuple[int, str, str]]:
    """Return what changed in the order of the pages: kind, repo, id."""
    delta = union(lines)
    names = [(_SOURCE if there else _GONE_SOURCE, repo, "") for repo, there in delta.sources.items()]
    for repo, ids in delta.capabilities.items():
        names += [(_CAPABILITY if there else _GONE_CAPABILITY, repo, name) for name, there in ids.items()]
    return sorted(names)


class _Rows:
    """The rows of one page as JSON, by kind, and in *places* what each of them is named by."""

    def __init__(self, document: Document) -> None:
        composition = document.composition
        self._sources = {row["repo"]: row for row in composition.sources}
        rows = zip(composition.sources, composition.shares, strict=True)
        self._shares = {row["repo"]: share for row, share in rows}
        self._room = MOST_BYTES
        self.by_kind: tuple[list[orjson.Fragment], ...] = ([], [], [], [], [])
        self.places: list[tuple[int, str, str]] = []

    @property
    def full(self) -> bool:
        return self._room <= 0

    def add(self, kind: int, repo: str, name: str) -> None:
        """Add what is served by a name, or the name where it is gone."""
        if kind == _SOURCE:
            text = orjson.dumps(self._sources[repo])
        elif kind == _CAPABILITY:
            text = _entry(self._shares[repo], name).json
        else:
            text = orjson.dumps(repo if kind == _GONE_SOURCE else {"repo": repo, "id": name})
        self._append((kind, repo, name), text)

    def add_conflict(self, conflict: dict[str, Any]) -> None:
        """Add an id that several sources claim."""
        self._append((_CONFLICT, conflict["repo"], conflict["id"]), orjson.dumps(conflict))

    def _append(self, place: tuple[int, str, str], text: bytes) -> None:
        self.by_kind[place[0]].append(orjson.Fragment(text))
        self.places.append(place)
        self._room -= len(text)


def _entry(share: tuple[Entry, ...], entry_id: str) -> Entry:
    """Return the entry of *share*, which is in the order of the ids, with this id."""
    return share[bisect_left(share, entry_id, key=attrgetter("id"))]
