"""A capability: the bytes that the hub keeps of each, and what they say.

Entries are kept by the hundred thousand, as bytes: decoded they take several times the memory. Each is decoded where
somebody asks what it says. Only this module knows how an entry is encoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from shared.yaml_out import list_item

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDER = (
    "id",
    "name",
    "summary",
    "vector",
    "domain",
    "status",
    "owner",
    "tags",
    "path",
    "url",
    "consumption_modes",
)
"""The members that people read first; those that no schema names follow in the order of their names."""

_ADDED = ("entry_url", "source_repo")
"""What the hub adds, at the end of an entry."""

# No string holds these: within strings every quote has a backslash before it.
_MARKS = tuple(f',"{name}":'.encode() for name in _ADDED)
_ID = len(b'{"id":"')


@dataclass(frozen=True, slots=True)
class Capability:
    """What an entry says. *members* are all that it has by their JSON names, those of publishers' own making included.

    The properties are the members that the schema of a capability index names, checked when the index was read; a text
    that is not there is empty.
    """

    members: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The id, unique within its index."""
        value: str = self.members["id"]
        return value

    @property
    def name(self) -> str:
        """The name, for people."""
        value: str = self.members["name"]
        return value

    @property
    def summary(self) -> str:
        """A few sentences, at most 1,000 characters."""
        value: str = self.members.get("summary", "")
        return value

    @property
    def vector(self) -> str:
        """The maturity, as in ``D5 / A4 / C3 / R2``."""
        value: str = self.members.get("vector", "")
        return value

    @property
    def domain(self) -> str:
        """The entry's own domain, where it has another than its index."""
        value: str = self.members.get("domain", "")
        return value

    @property
    def status(self) -> str:
        """How far it has come, in a word of the publisher's."""
        value: str = self.members.get("status", "")
        return value

    @property
    def owner(self) -> str:
        """Who answers for it."""
        value: str = self.members.get("owner", "")
        return value

    @property
    def tags(self) -> list[str]:
        """The tags, at most 50."""
        value: list[str] = self.members.get("tags", [])
        return value

    @property
    def consumption_modes(self) -> list[str]:
        """How it can be used, at most 50 words."""
        value: list[str] = self.members.get("consumption_modes", [])
        return value

    @property
    def url(self) -> str:
        """The publisher's own URL of the entry's document, or of what it offers."""
        value: str = self.members.get("url", "")
        return value

    @property
    def entry_url(self) -> str:
        """Where the entry's document lies, as the hub made it out."""
        value: str = self.members.get("entry_url", "")
        return value

    @property
    def source_repo(self) -> str:
        """The repo that publishes it."""
        value: str = self.members.get("source_repo", "")
        return value

    def text(self, name: str) -> str:
        """Return the member *name*, or "" where it is missing or no text."""
        value = self.members.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str] | None:
        """Return the member *name*, or None where it is missing or no list of texts."""
        value = self.members.get(name)
        return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None

    def published(self) -> dict[str, Any]:
        """Return the members without what the hub added."""
        return {name: value for name, value in self.members.items() if name not in _ADDED}


@dataclass(frozen=True, slots=True)
class Entry:
    """A capability as the federated index serves it: its id, and the bytes of all that it says, as JSON."""

    id: str
    json: bytes

    @classmethod
    def of(cls, members: dict[str, Any], repo: str, entry_url: str | None = None) -> Self:
        """Return the entry of *repo* that says *members*, in their order; they have no more than publishers may write.

        *entry_url* is where its document lies, None where nothing tells.
        """
        added = {"source_repo": repo} if entry_url is None else {"entry_url": entry_url, "source_repo": repo}
        # Copied to its size: what orjson returns stays in the 4 KiB that it was written to, and this is kept for long.
        return cls(members["id"], bytes(memoryview(orjson.dumps(members | added))))

    @classmethod
    def encoded(cls, line: bytes) -> Self:
        """Return the entry whose ``json`` is *line*; its id stands first."""
        return cls(line[_ID : line.index(b'"', _ID)].decode(), line)

    def decoded(self) -> Capability:
        """Return what the entry says. It costs a decode each time, some microseconds."""
        return Capability(orjson.loads(self.json))

    @property
    def yaml(self) -> bytes:
        """The entry as an item of a YAML list."""
        return list_item(orjson.loads(self.json))

    @property
    def bare(self) -> bytes:
        """The bytes without what the hub added: the start of a JSON object."""
        encoded = self.json
        for mark in _MARKS:
            encoded = encoded.partition(mark)[0]
        return encoded

    def says_the_same(self, other: Entry) -> bool:
        """Tell whether *other* differs in nothing but who published it."""
        return self.bare == other.bare


def in_order(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return *members* in the order in which entries are encoded."""
    ordered = {name: members[name] for name in _ORDER if name in members}
    return ordered | dict(sorted(members.items())) if len(ordered) < len(members) else ordered
