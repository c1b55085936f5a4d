"""The content of a source with its URL and validators, and content that the shrink guard holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.model.content import Content  # noqa: TC001 - saved values are held against their types

if TYPE_CHECKING:
    from shared.model.registration import Registration

PATIENCE_SECONDS = 24 * 3600.0
"""Held content is let in when every check of so long saw it; sets of served ids count for as long."""

HASH_BYTES = 8
"""Of the hash of an id. Among the 20,000 ids of an index the chance that two are alike is one in 10**11."""

_PERCENT = 30
_VALIDATOR_LENGTH = 256


class Validators(NamedTuple):
    """The ETag and Last-Modified that make the next request conditional (RFC 9110 §13.1); "" where none was sent.

    *url* is the URL that sent them, where a redirect led to it: validators of one URL mean nothing to another.
    """

    etag: str = ""
    last_modified: str = ""
    url: str = ""

    def conditions(self) -> dict[str, str]:
        """Return those of the two that are there, by name, but no text that the hub would refuse from a source.

        A data file that somebody edited may hold a line break, which would end the header of the request.
        """
        pairs = {"etag": self.etag, "last_modified": self.last_modified}
        return {name: value for name, value in pairs.items() if value and is_validator(value)}


def is_validator(value: str) -> bool:
    """Tell whether *value* is one that a source may have sent: short, ASCII, no control characters."""
    return len(value) <= _VALIDATOR_LENGTH and value.isascii() and value.isprintable()


class ServedIds(NamedTuple):
    """The *ids* that were served *until* a moment of the hub's running time: HASH_BYTES of each, joined."""

    until: float
    ids: bytes

    @property
    def size(self) -> int:
        """How many ids they are."""
        return len(self.ids) // HASH_BYTES


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A content, the URL it was read from, and the validators of that URL that make the next request conditional.

    *registered_at* and *sequence* tell the registration that it was read for from others of the same name, which a
    clock that stands still could date alike; they are empty and 0 in files of versions that did not write them. *past*
    are larger sets of ids that were served before, *instead_of* is the digest of what was served when this was held.
    """

    url: str
    validators: Validators
    changed_at: str
    content: Content
    registered_at: str = ""
    past: tuple[ServedIds, ...] = ()
    instead_of: str = ""
    sequence: int = 0

    def says_the_same(self, other: StoredContent) -> bool:
        """Tell whether the contents are equal, however they were written."""
        return self.content.digest == other.content.digest

    def read_for(self, registration: Registration) -> bool:
        """Tell whether it was read for *registration*, by its time and number, or by its URL in files without those."""
        if not self.registered_at:
            return self.url == registration.url
        return self.registered_at == registration.registered_at and self.sequence in {0, registration.sequence}

    def facts(self) -> dict[str, Any]:
        """Return the digest and count that a line of history has of the content."""
        return {"digest": self.content.digest, "capability_count": len(self.content.entries)}


class Loss(NamedTuple):
    """*missing* of so many ids (*of*) that were served would be served no longer."""

    missing: int
    of: int

    @property
    def too_much(self) -> bool:
        """Whether that is more than max(1, 30 %)."""
        return self.missing > 1 and self.missing * 100 > self.of * _PERCENT


@dataclass(frozen=True, slots=True)
class HeldContent:
    """Content that was not let in. ``kept.changed_at`` says when it was first seen.

    *seen_since* is since when every check has seen it, a moment of the hub's running time; None after one that did not.
    *loss* is what it lacks of what was served within a day, where that is more than what is served now.
    """

    stored: StoredContent
    seen_since: float | None
    loss: Loss | None = None

    def again(self, stored: StoredContent, now: float) -> HeldContent:
        """Return the value after a check that saw the same content, with the new validators of *stored*."""
        same = replace(stored, changed_at=self.stored.changed_at, instead_of=self.stored.instead_of)
        return replace(self, stored=same, seen_since=now if self.seen_since is None else self.seen_since)

    def missed(self) -> HeldContent:
        """Return the value after a check that did not see it: the day begins anew when it is seen again."""
        return replace(self, seen_since=None)

    def outwaited(self, now: float) -> bool:
        """Tell whether every check of a whole day saw this content."""
        return self.seen_since is not None and now - self.seen_since >= PATIENCE_SECONDS
