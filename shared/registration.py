"""The record about a repository: what a client may ask for, and what the hub makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import orjson

from shared import schemas
from shared.fetch import urls
from shared.problems import AddressRefused, InvalidRegistration, Offence

if TYPE_CHECKING:
    from shared.fetch.guard import Guard

_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client asks for. Every instance made by ``wanted`` keeps the rules of schemas/hub-registration."""

    repo: str
    url: str
    domain: str
    enabled: bool = True
    required: bool = False
    cache_ttl_seconds: int = 3600
    description: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return every field, in the order of the schema."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration(Wanted):
    """What the hub keeps. Times are RFC 3339, UTC; *revision* grows by one with each change.

    A new registration starts beyond every revision that a deregistered repo had, at 1 where there was none.
    *sequence* numbers registrations in the order in which they were made, whatever the clock said; no caller sees it.
    """

    registered_at: str
    updated_at: str
    registered_by: str
    revision: int
    sequence: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return what callers see."""
        shown = self.as_row()
        del shown["sequence"]
        return shown

    def as_row(self) -> dict[str, Any]:
        """Return everything that is stored; ``from_json`` takes it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def precedence(self) -> tuple[int, str, str]:
        """What sorts registrations by who was first; the time counts only among those that no store has numbered."""
        return self.sequence, self.registered_at, self.repo

    @property
    def etag(self) -> str:
        """The strong entity tag of this revision (RFC 9110 §8.8.3), with a digest of all that is kept of it.

        The revision alone would not do: two restores of one backup both count on from there, each with changes of its
        own, and so does a hub whose volume was put back.
        """
        return f'"{self.revision}-{sha256(orjson.dumps(self.as_row())).hexdigest()[:_DIGITS]}"'

    def wanted(self) -> Wanted:
        """Return the part that a client may ask for."""
        return Wanted(**{name: getattr(self, name) for name in WANTED_FIELDS})

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Self:
        """Return the registration that ``as_row`` gave."""
        return cls(**row)


_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,99}")


def is_name(text: str) -> bool:
    """Tell whether *text* can be the name of a repo, by the rule of schemas/hub-registration."""
    return _NAME.fullmatch(text) is not None


WANTED_FIELDS = tuple(one.name for one in fields(Wanted))
OPTIONAL_FIELDS = tuple(name for name in WANTED_FIELDS if name not in {"repo", "url", "domain"})


def wanted(document: object, guard: Guard, repo: str | None = None) -> Wanted:
    """Return what *document* asks for, or raise InvalidRegistration with every offence.

    *guard* refuses the URLs that need no look-up to be refused. *repo* is the name in the path, where there is one: the
    document may leave it out, and must not say another.
    """
    if isinstance(document, dict) and repo is not None:
        document = {"repo": repo} | document
    offences = schemas.checker("hub-registration", "wanted")(document)
    fields_given: dict[str, Any] = document if isinstance(document, dict) else {}
    offences = [_explained(offence, fields_given) for offence in offences]
    if repo is not None and isinstance(fields_given.get("repo"), str) and fields_given["repo"] != repo:
        offences = [Offence("/repo", f"must be {repo}, or left out: the name of a repo never changes"), *offences]
    url = fields_given.get("url")
    if isinstance(url, str) and not any(offence.pointer == "/url" for offence in offences):
        offences += _url_offences(url, guard)
    if offences:
        raise InvalidRegistration("The registration breaks the rules; see errors.", errors=sorted(offences))
    return Wanted(**_whole(fields_given))


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    # JSON knows one kind of number: 60.0 is the integer 60.
    if "cache_ttl_seconds" in given:
        given = {**given, "cache_ttl_seconds": int(given["cache_ttl_seconds"])}
    return given


_EXPLAINED = {
    "/index": "a local path can't be read by a hub; publish the index and register its raw URL as url",
    "/registered_at": "is set by the hub",
    "/updated_at": "is set by the hub",
    "/registered_by": "is set by the hub",
    "/revision": "is set by the hub; send the ETag as If-Match",
    "/source": "is set by the hub",
}


def _explained(offence: Offence, given: dict[str, Any]) -> Offence:
    if offence.pointer.removeprefix("/") in given and offence.pointer in _EXPLAINED:
        return Offence(offence.pointer, _EXPLAINED[offence.pointer])
    return offence


def _url_offences(url: str, guard: Guard) -> list[Offence]:
    try:
        guard.judge(urls.parse(url))
    except (urls.UrlRefused, AddressRefused) as fault:
        return [Offence("/url", str(fault))]
    return []


def merged(current: Registration, patch: object, guard: Guard) -> Wanted:
    """Return *current* changed by a JSON merge patch (RFC 7396), or raise InvalidRegistration.

    null resets an optional field to its default; ``repo`` may stand in the patch only unchanged.
    """
    if not isinstance(patch, dict):
        raise InvalidRegistration("A merge patch is a JSON object.", errors=[Offence("", "must be a JSON object")])
    whole = current.wanted().as_json() | patch
    kept = {name: value for name, value in whole.items() if value is not None or name not in OPTIONAL_FIELDS}
    return wanted(kept, guard, current.repo)
