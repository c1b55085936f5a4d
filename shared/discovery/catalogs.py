"""AI catalogs: a root that links to one catalog per repo, in pieces that every reader's size limit admits.

Each is made at its first request, once per edition of the federated index.
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
"""Bytes of the largest document; the smallest limit among the readers is 2,000,000."""

KEPT_BYTES = 8 << 20
"""Bytes of the cache, its keys included."""

# An estimate of a key and the objects that it is made of.
_KEY_BYTES = 1000

# Bytes that an entry of a catalog has beyond its entry of the index (names and URLs), and the document around them.
_ADDED = 2_500
_FRAME = 2_000


class Catalog(NamedTuple):
    """A catalog as JSON, and its entity tag."""

    body: bytes
    tag: str


class Catalogs:
    """Makes and caches the catalogs of the present edition."""

    def __init__(self, federation: Federation, naming: Naming, reads: Reads, kept_bytes: int = KEPT_BYTES) -> None:
        """Cache *kept_bytes* of catalogs, their keys included."""
        self._federation = federation
        self._naming = naming
        self._reads = reads
        self._kept: LRUCache[tuple[object, ...], Catalog] = LRUCache(
            kept_bytes, lambda catalog: len(catalog.body) + _KEY_BYTES
        )

    async def root(self) -> Catalog:
        """Return the root catalog, which links to those of all repos or, where they are too many, of all domains."""
        return await self._made(_root)

    async def of_domain(self, name: str, number: int) -> Catalog | None:
        """Return piece *number*, from 1, of the catalog of the domain *name*; None where there is no such piece."""
        if name not in self._federation.edition.domains:
            return None
        # The count is cached: looking for a piece that is not there takes as long as making one.
        if number > 1 and number > int((await self._made(_number_of_domain, name)).body):
            return None
        return _unless_empty(await self._made(_of_domain, name, number))

    async def of_repo(self, repo: str, number: int) -> Catalog | None:
        """Return piece *number*, from 1, of the catalog of *repo*; None where there is no such piece, never for 1."""
        return _unless_empty(await self._made(_of_repo, repo, number))

    async def _made(self, make: Callable[..., bytes], *about: str | int) -> Catalog:
        edition = self._federation.edition
        key = (edition.document.serial, edition.document.generated_at, make, *about)
        catalog = self._kept.get(key)
        if catalog is None:
            catalog = await self._reads.once(("catalog", *key), _tagged, make, self._naming, edition, *about)
            with contextlib.suppress(ValueError):  # it is larger than the whole cache
                self._kept[key] = catalog
        return catalog


def _tagged(make: Callable[..., bytes], *about: object) -> Catalog:
    """Return the catalog that *make* makes, with its tag: hashing takes milliseconds, and so is done in the thread."""
    body = make(*about)
    return Catalog(body, tag_of_body(body))


def _unless_empty(catalog: Catalog) -> Catalog | None:
    return catalog if catalog.body else None


def _root(naming: Naming, edition: Edition) -> bytes:
    """Return the root catalog: the hub's search, and the catalogs of all repos or, if they are too many, of domains."""
    members = [member for _, leads in _repos(naming, edition) for member in leads]
    whole = _document(naming, [entries.registry(naming), *members])
    if len(whole) <= MOST_BYTES:
        return whole
    domains = []
    for name, pieces in _domains(naming, edition).items():
        domains += [entries.domain(naming, name, number, len(pieces)) for number in range(1, len(pieces) + 1)]
    return _document(naming, [entries.registry(naming), *domains])


def _repos(naming: Naming, edition: Edition, domain: str = "") -> list[tuple[str, list[dict[str, Any]]]]:
    """Return (domain, entries for its catalog) of each repo with entries, or of those of *domain*, by repo."""
    rows = []
    for part in sorted(edition.parts, key=lambda part: part.repo):
        if domain not in {"", part.registration.domain}:
            continue
        if part.content and part.content.entries:
            count = len(pieces_of(naming, part))
            members = [entries.catalog(naming, part, number, count) for number in range(1, count + 1)]
            rows.append((part.registration.domain, _valid(members)))
    return rows


def _domains(naming: Naming, edition: Edition, domain: str = "") -> dict[str, list[list[dict[str, Any]]]]:
    """Return the entries for the repos' catalogs by domain, or of *domain* alone, each in pieces."""
    by_domain = groupby(sorted(_repos(naming, edition, domain), key=itemgetter(0)), key=itemgetter(0))
    return {
        name: _pieces([member for _, members in repos for member in members], lambda member: len(orjson.dumps(member)))
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
    members = [entries.capability(naming, part, entry) for entry in served] if part else []
    return _document(naming, _each_once(_valid(members), naming, repo))


def _valid(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *members* without those that break a reader's rules, and log these.

    Some readers reject a whole catalog for one bad entry.
    """
    faults = [entries.fault(member) for member in members]
    for member, fault in zip(members, faults, strict=True):
        if fault is not None:
            _log.warning("left out of the catalogs: %r: %s", member["identifier"], fault)
    return [member for member, fault in zip(members, faults, strict=True) if fault is None]


def _each_once(members: list[dict[str, Any]], naming: Naming, repo: str) -> list[dict[str, Any]]:
    """Replace an identifier that an earlier one of *members* has by a URN of the hub's; return *members*."""
    identifiers: set[str] = set()
    for member in members:
        if member["identifier"] in identifiers:
            member["identifier"] = naming.urn("capability", repo, *member["capabilities"])
        identifiers.add(member["identifier"])
    return members


def pieces_of(naming: Naming, part: Part) -> list[list[Entry]]:
    """Return the entries of *part* in pieces that fit into documents; one empty piece where it has none."""
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
    """Return the entry with the identifier *urn*: of a served capability, a repo's catalog or the hub; else None."""
    entry = None
    kind, _, name = urn.removeprefix(naming.urn("")).partition(":")
    if kind == "capability":
        repo, _, entry_id = name.partition(":")
        claim = edition.claim(repo, entry_id)
        if claim and claim.winner == repo:
            entry = entries.capability(naming, claim.part, claim.entry)
    elif kind == "catalog" and name in edition.by_repo:
        part = edition.by_repo[name]
        entry = entries.catalog(naming, part, 1, len(pieces_of(naming, part)))
    elif kind == "registry":
        entry = entries.registry(naming)
    return entry if entry and entry["identifier"] == urn and entries.fault(entry) is None else None
