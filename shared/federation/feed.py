"""Changes told page by page, by what is served now: each name once, with what it is or that it is gone."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.federation.changes import merged
from shared.parameters import cursor, cursor_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.federation.changes import Line
    from shared.federation.document import Document
    from shared.index.content import Entry

MOST_SERIAL = 2**53 - 1
"""Up to here every reader of JSON knows whole numbers (RFC 8259 §6)."""

_SOURCE, _GONE_SOURCE, _CAPABILITY, _GONE_CAPABILITY, _CONFLICT = range(5)


_PLACE = re.compile("([0-9]{1,16}) ([0-4]) ([a-z0-9._-]{1,100}) ([a-z0-9._-]{0,200})")


class Place(NamedTuple):
    """Where a page ended: the serial that its reader will be at, and the name or the conflict that it told last."""

    serial: int
    kind: int
    repo: str
    id: str

    @classmethod
    def read(cls, text: str) -> Place:
        """Return the place that a ``next`` names, or raise ValueError."""
        found = _PLACE.fullmatch(cursor(text))
        if found is None:
            raise ValueError("must be the next of an earlier page of changes, as it was given")
        return cls(int(found[1]), int(found[2]), found[3], found[4])

    def __str__(self) -> str:
        return cursor_to(" ".join(map(str, self)))


def page(document: Document, since: int, lines: Iterable[Line], limit: int, after: Place | None) -> dict[str, Any]:
    """Return what *lines*, all those since *since*, changed: at most *limit* names, those *after* a place.

    Behind the names come the conflicts that there are now, as many as there is room for within *limit*: with thousands
    of them in each page, a page would cost what the whole does.

    The document may have gone on since the first page. Each page tells what is served now, but the reader will be at
    the serial of the first, and so be told again what happened to names that stood on earlier pages.
    """
    serial = after.serial if after else document.serial
    names = [name for name in _names(lines) if after is None or name > after[1:]]
    shown = names[:limit]
    more = document.composition.conflicts
    if after is not None and after.kind == _CONFLICT:
        more = more[bisect_right(more, after.id, key=itemgetter("id")) :]
    conflicts = more[: limit - len(shown)] if len(shown) == len(names) else []
    last = (_CONFLICT, conflicts[-1]["repo"], conflicts[-1]["id"]) if conflicts else shown[-1] if shown else None
    ended = len(shown) == len(names) and len(conflicts) == len(more)
    return {
        "since": since,
        "serial": serial,
        "head": document.head() | {"conflicts": conflicts},
        **_told(document, shown),
        "next": None if ended or last is None else str(Place(serial, *last)),
    }


def _names(lines: Iterable[Line]) -> list[tuple[int, str, str]]:
    """Return what changed in the order in which it is told: kind, repo, id."""
    delta = merged(lines)
    names = [(_SOURCE if there else _GONE_SOURCE, repo, "") for repo, there in delta.sources.items()]
    for repo, ids in delta.capabilities.items():
        names += [(_CAPABILITY if there else _GONE_CAPABILITY, repo, name) for name, there in ids.items()]
    return sorted(names)


def _told(document: Document, names: list[tuple[int, str, str]]) -> dict[str, Any]:
    composition = document.composition
    by_kind: list[list[tuple[str, str]]] = [[] for _ in range(_CONFLICT)]
    for kind, repo, name in names:
        by_kind[kind].append((repo, name))
    sources = {row["repo"]: row for row in composition.sources}
    shares = {row["repo"]: share for row, share in zip(composition.sources, composition.shares, strict=True)}
    return {
        "sources": {
            "upserted": [sources[repo] for repo, _ in by_kind[_SOURCE]],
            "removed": [repo for repo, _ in by_kind[_GONE_SOURCE]],
        },
        "capabilities": {
            "upserted": [orjson.Fragment(_entry(shares[repo], name).json) for repo, name in by_kind[_CAPABILITY]],
            "removed": [{"repo": repo, "id": name} for repo, name in by_kind[_GONE_CAPABILITY]],
        },
    }


def _entry(share: tuple[Entry, ...], entry_id: str) -> Entry:
    """Return the entry of *share*, which is in the order of the ids, with this id."""
    return share[bisect_left(share, entry_id, key=attrgetter("id"))]
