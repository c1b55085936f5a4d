"""The registration of a repository: the fields that a client sends, and those that the hub adds."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Self

import orjson

_DIGITS = 16
"""Hexadecimal digits of the digest in an ETag, 64 bits: enough to tell states of one repo apart, no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFields:
    """The fields that a client sends. Every instance made by ``wanted`` keeps the rules of schemas/hub-registration."""

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
class Registration(RegistrationFields):
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
        members = self.as_row()
        del members["sequence"]
        return members

    def as_row(self) -> dict[str, Any]:
        """Return everything that is stored; ``from_json`` takes it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def precedence(self) -> tuple[int, str, str]:
        """The sort key by which the earlier registration comes first; the time counts only where *sequence* is 0."""
        return self.sequence, self.registered_at, self.repo

    @property
    def etag(self) -> str:
        """The strong entity tag of this revision (RFC 9110 §8.8.3), with a digest of all that is kept of it.

        The revision alone would not do: two restores of one backup both count on from there, each with changes of its
        own, and so does a hub whose volume was put back.
        """
        return f'"{self.revision}-{sha256(orjson.dumps(self.as_row())).hexdigest()[:_DIGITS]}"'

    def client_fields(self) -> RegistrationFields:
        """Return the fields that a client may send."""
        return RegistrationFields(**{name: getattr(self, name) for name in CLIENT_FIELDS})

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Self:
        """Return the registration that ``as_row`` gave."""
        return cls(**row)


_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,99}")


def is_name(text: str) -> bool:
    """Tell whether *text* can be the name of a repo, by the rule of schemas/hub-registration."""
    return _NAME.fullmatch(text) is not None


CLIENT_FIELDS = tuple(field.name for field in fields(RegistrationFields))
OPTIONAL_FIELDS = tuple(name for name in CLIENT_FIELDS if name not in {"repo", "url", "domain"})
