"""What a source format is: how a source of it is asked, and how the bytes that it answers become capabilities.

Nothing here fetches, stores or knows of registrations: a format is given bytes and returns a Reading, or refuses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shared.formats.documents import DocumentFaulty, Fault, Parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.content import Content


class Publisher(NamedTuple):
    """Whose document is read: *repo* is the name it is registered under ("" where that is not known), *url* its place.

    *required* tells that the federated index is complete only with what the document brings.
    """

    repo: str = ""
    url: str = ""
    required: bool = False


UNKNOWN = Publisher()
"""The publisher of a document of which nobody says whose it is."""


class Relayed(NamedTuple):
    """What a document says of a repo other than its publisher's; *content* is None where that repo serves nothing.

    *url*, *domain*, *state* and *changed_at* (RFC 3339, UTC, or None) are the document's word on that repo's source.
    """

    repo: str
    url: str
    domain: str
    state: str
    changed_at: str | None
    content: Content | None


class Reading(NamedTuple):
    """The result of reading one document.

    *content* is what the publisher offers itself, None in a document that speaks for other repos alone; *relayed* is
    what it says of those. *skipped* are the entries that were left out, each with its place and the reason, in formats
    where one bad entry does not refuse the whole.
    """

    content: Content | None
    relayed: tuple[Relayed, ...] = ()
    skipped: tuple[Fault, ...] = ()

    def own(self) -> Content:
        """Return the publisher's own content, or raise DocumentFaulty where the document has none."""
        if self.content is None:
            raise DocumentFaulty([Fault(1, 1, "", "speaks for other repos alone, and offers nothing of its own")])
        return self.content


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """One row of the table of formats.

    *name* is what a manifest or a registration says. *accept* is the value of the header Accept that a source is asked
    with (RFC 9110 §12.5.1); whatever media type comes back is read. *signs* are the members at the top by which a
    document of this format is recognised: never to choose how it is read, only to name it when it is refused.

    *parse* makes data of bytes, and *read* capabilities of the data. Both refuse a document as a whole by raising
    DocumentFaulty with every fault, SourceNotAnIndex for a web page, or SourceTooLarge. What *read* leaves out instead
    stands in ``Reading.skipped``.

    A source of these formats is one document. One that comes in pages is parsed and read page by page, so that no two
    pages are in memory at once; the Readings are then joined.
    """

    name: str
    accept: str
    signs: frozenset[str]
    parse: Callable[[bytes], Parsed]
    read: Callable[[Parsed, Publisher], Reading]

    def reading(self, body: bytes, publisher: Publisher) -> Reading:
        """Return what the document in *body*, which *publisher* published, came to; raise as *parse* and *read* do."""
        return self.read(self.parse(body), publisher)
