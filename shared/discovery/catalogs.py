"""AI catalogs: one that leads to one per repo, none larger than the smallest reader takes.

Each is made when it is asked for, once per edition of the federated index.
"""

from __future__ import annotations

import contextlib
import logging
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import orjson
from cachetools import LRUCache

from shared.discovery import entries
from shared.discovery.entries import AI_CATALOG
from shared.web.answers import tag_of_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.discovery.naming import Naming
    from shared.federation import Edition, Federation
    from shared.model.capability import Entry
    from shared.model.compose import Part
    from shared.reads import Reads

__all__ = ["AI_CATALOG", "Catalogs"]

Item = TypeVar("Item")
_log = logging.getLogger("hub.discovery")

MOST_BYTES = 1_900_000
"""No document is larger; the smallest limit among the readers is 2,000,000."""

KEPT_BYTES = 8 << 20
"""How much is kept of what was made, with the names that it is kept under."""

_KEY_BYTES = 1000

# What an entry of a catalog may have beyond the entry of the index that it is made of: its names and addresses.
_ADDED = 2_500
_FRAME = 2_000


class Catalog(NamedTuple):
    """A catalog as it is sent, and its entity tag."""

    body: bytes
    tag: str


class Catalogs:
    """The catalogs of the edition that is served."""

    def __init__(self, federation: Federation, naming: Naming, reads: Reads) -> None:
        self._federation = federation
        self._naming = naming
        self._reads = reads
        self._kept: LRUCache[tuple[object, ...], Catalog] = LRUCache(
            KEPT_BYTES, lambda made: len(made.body) + _KEY_BYTES
        )

    async def root(self) -> Catalog:
        """Return the catalog that leads to all others."""
        return await self._made(_root)

    async def of_domain(self, name: str, number: int) -> Catalog | None:
        """Return piece *number* of the catalog of the repos of a domain, or None where there is no such piece."""
        if name not in self._federation.edition.domains:
            return None
        # Counted once: finding out that there is no such piece takes as long as making one, from thousands of repos.
        if number > 1 and number > int((await self._made(_number_of_domain, name)).body):
            return None
        return _unless_empty(await self._made(_of_domain, name, number))

    async def of_repo(self, repo: str, number: int) -> Catalog | None:
        """Return piece *number* of the catalog of *repo*, or None where there is no such piece; the first is always."""
        return _unless_empty(await self._made(_of_repo, repo, number))

    async def _made(self, make: Callable[..., bytes], *about: str | int) -> Catalog:
        edition = self._federation.edition
        key = (edition.document.serial, edition.document.generated_at, make, *about)
        made = self._kept.get(key)
        if made is None:
            made = await self._reads.once(("catalog", *key), _tagged, make, self._naming, edition, *about)
            with contextlib.suppress(ValueError):  # larger than all the room
                self._kept[key] = made
        return made


def _tagged(make: Callable[..., bytes], *about: object) -> Catalog:
    """Return what *make* makes, digested in its thread as well: that takes milliseconds of the largest."""
    body = make(*about)
    return Catalog(body, tag_of_body(body))


def _unless_empty(catalog: Catalog) -> Catalog | None:
    return catalog if catalog.body else None


def _root(naming: Naming, edition: Edition) -> bytes:
    """Lead to the repos or, where that is too much for one document, to the domains."""
    members = [one for _, found in _repos(naming, edition) for one in found]
    whole = _document(naming, [entries.registry(naming), *members])
    if len(whole) <= MOST_BYTES:
        return whole
    domains = []
    for name, pieces in _domains(naming, edition).items():
        domains += [entries.domain(naming, name, number, len(pieces)) for number in range(1, len(pieces) + 1)]
    return _document(naming, [entries.registry(naming), *domains])


def _repos(naming: Naming, edition: Edition, domain: str = "") -> list[tuple[str, list[dict[str, Any]]]]:
    """Return for each repo that serves something, or each of *domain*, its domain and what leads to its catalog."""
    found = []
    for part in sorted(edition.parts, key=lambda part: part.repo):
        if domain not in {"", part.registration.domain}:
            continue
        if part.content and part.content.entries:
            count = len(pieces_of(naming, part))
            members = [entries.catalog(naming, part, number, count) for number in range(1, count + 1)]
            found.append((part.registration.domain, _good(members)))
    return found


def _domains(naming: Naming, edition: Edition, domain: str = "") -> dict[str, list[list[dict[str, Any]]]]:
    """Return what leads to the repos of each domain, or of *domain* alone, in pieces."""
    by_domain = groupby(sorted(_repos(naming, edition, domain), key=itemgetter(0)), key=itemgetter(0))
    return {
        name: _pieces([one for _, members in repos for one in members], lambda one: len(orjson.dumps(one)))
        for name, repos in by_domain
    }


def _of_domain(naming: Naming, edition: Edition, name: str, number: int) -> bytes:
    pieces = _domains(naming, edition, name).get(name, [])
    return _document(naming, pieces[number - 1]) if number <= len(pieces) else b""


def _number_of_domain(naming: Naming, edition: Edition, name: str) -> bytes:
    return b"%d" % len(_domains(naming, edition, name).get(name, []))


def _of_repo(naming: Naming, edition: Edition, repo: str, number: int) -> bytes:
    part = edition.by_repo.get(repo)
    pieces = pieces_of(naming, part) if part else [[]]
    if number > len(pieces):
        return b""
    served = [entry for entry in pieces[number - 1] if edition.is_served(repo, entry.id)]
    made = [entries.capability(naming, part, entry) for entry in served] if part else []
    return _document(naming, _each_once(_good(made), naming, repo))


def _good(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out and log what some reader would not take: for some, one bad entry voids the whole catalog."""
    faults = [entries.fault(one) for one in made]
    for one, fault in zip(made, faults, strict=True):
        if fault is not None:
            _log.warning("left out of the catalogs: %r: %s", one["identifier"], fault)
    return [one for one, fault in zip(made, faults, strict=True) if fault is None]


def _each_once(made: list[dict[str, Any]], naming: Naming, repo: str) -> list[dict[str, Any]]:
    """Give the hub's own name to what claims the name of an entry before it."""
    seen: set[str] = set()
    for one in made:
        if one["identifier"] in seen:
            one["identifier"] = naming.urn("capability", repo, *one["capabilities"])
        seen.add(one["identifier"])
    return made


def pieces_of(naming: Naming, part: Part) -> list[list[Entry]]:
    """Return the entries of *part* in pieces; none makes one empty piece."""
    added = _ADDED + len(naming.public) + len(part.registration.url)
    content = part.content.entries if part.content else ()
    return _pieces(content, lambda entry: 2 * len(entry.json) + added) or [[]]


def _pieces(items: Iterable[Item], size: Callable[[Item], int]) -> list[list[Item]]:
    pieces: list[list[Item]] = []
    room = 0
    for item in items:
        if (needed := size(item) + 1) > room:
            pieces.append([])
            room = MOST_BYTES - _FRAME
        pieces[-1].append(item)
        room -= needed
    return pieces


def _document(naming: Naming, members: list[dict[str, Any]]) -> bytes:
    host = {
        "displayName": "reuse-surface federation hub",
        "identifier": naming.publisher,
        "documentationUrl": f"{naming.public}/",
    }
    return orjson.dumps({"specVersion": "1.0", "host": host, "entries": members})


def lookup(naming: Naming, edition: Edition, urn: str) -> dict[str, Any] | None:
    """Return the entry with this identifier, or None: of a capability that is served, a repo's catalog, or the hub."""
    found = None
    kind, _, name = urn.removeprefix(naming.urn("")).partition(":")
    if kind == "capability":
        repo, _, entry_id = name.partition(":")
        claim = edition.claim(repo, entry_id)
        if claim and claim.winner == repo:
            found = entries.capability(naming, claim.part, claim.entry)
    elif kind == "catalog" and name in edition.by_repo:
        part = edition.by_repo[name]
        found = entries.catalog(naming, part, 1, len(pieces_of(naming, part)))
    elif kind == "registry":
        found = entries.registry(naming)
    return found if found and found["identifier"] == urn and entries.fault(found) is None else None
