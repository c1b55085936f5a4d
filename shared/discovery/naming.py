"""Names of ARD: every capability has a URN, its publisher's own or one in the hub's namespace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.model.capability import Capability
    from shared.model.compose import Part

# What all readers take for a URN with a publisher's domain name in it: the strictest of their rules together.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+[A-Za-z]{{2,63}}")
_URN = re.compile(rf"urn:air:((?:{_LABEL}\.)+[A-Za-z]{{2,63}})((?::[A-Za-z0-9._-]+)+)")
_LONGEST = 1000
_LOOSE_URN = re.compile(r"urn:air:[A-Za-z0-9.-]+(?::[A-Za-z0-9._-]+)+")
_MEDIA_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}")

NOBODY = "reuse-surface.invalid"
"""The publisher in the names of a hub whose address is no domain name, such as one on a developer's machine."""


class Naming:
    """Names and addresses as the hub at the public URL *public* gives them."""

    def __init__(self, public: str) -> None:
        self.public = public
        host = (urlsplit(public).hostname or "").lower()
        self.publisher = host if _DOMAIN.fullmatch(host) else NOBODY
        self.extension = ".".join([*reversed(self.publisher.split(".")), "source"])

    def urn(self, *names: str) -> str:
        """Return the URN of *names* in the hub's namespace."""
        return ":".join(["urn:air", self.publisher, *names])

    def own(self, capability: Capability) -> str | None:
        """Return the URN that a publisher gave to an entry; None for none, a malformed one, or one of the hub's."""
        urn = capability.text("identifier")
        found = _URN.fullmatch(urn) if len(urn) <= _LONGEST else None
        if found is None or len(found[1]) > 253 or found[1].lower() == self.publisher:  # noqa: PLR2004 - RFC 1035
            return None
        return found[0]

    def identifier(self, repo: str, capability: Capability) -> str:
        """Return the URN under which an entry of *repo* is served."""
        return self.own(capability) or self.urn("capability", repo, capability.id)

    def address(self, repo: str, capability: Capability) -> str:
        """Return where an entry of *repo* is: at its own URL, else at the hub."""
        return capability.url or f"{self.public}/v1/capabilities/{quote(repo)}/{quote(capability.id)}"

    def media_type(self, capability: Capability) -> str:
        """Return the media type of what an entry's address leads to, as far as that can be told."""
        kind, url = capability.text("type"), capability.url
        if _MEDIA_TYPE.fullmatch(kind):
            return kind
        if not url:
            return "application/json"
        return "text/markdown" if urlsplit_path(url).endswith(".md") else "text/html"

    def facts(self, part: Part, capability: Capability) -> Iterator[tuple[str, str]]:
        """Yield what an entry can be found by in searches of ARD, beyond its other facts."""
        yield "type", self.media_type(capability)
        own = self.own(capability)
        yield "publisher", publisher_of(own or self.urn("capability", part.repo, capability.id))
        if own:
            yield "identifier", own


def publisher_of(urn: str) -> str:
    """Return the publisher that a URN names."""
    return urn.split(":")[2].lower()


def is_urn(text: str) -> bool:
    """Tell whether *text* is a URN by the rules of ARD."""
    return len(text) <= _LONGEST and _LOOSE_URN.fullmatch(text) is not None


def urlsplit_path(url: str) -> str:
    """Return the path of *url*, which may be malformed."""
    return re.split(r"[?#]", url, maxsplit=1)[0].lower()
