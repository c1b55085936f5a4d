"""Names of ARD: the URN of a capability, its publisher's own or one in the hub's namespace, its URL and media type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.model.capability import Capability
    from shared.model.compose import Part

# A URN with a publisher's domain name in it, by the strictest rules of all known readers.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+[A-Za-z]{{2,63}}")
_URN = re.compile(rf"urn:air:((?:{_LABEL}\.)+[A-Za-z]{{2,63}})((?::[A-Za-z0-9._-]+)+)")
_LONGEST = 1000
_LOOSE_URN = re.compile(r"urn:air:[A-Za-z0-9.-]+(?::[A-Za-z0-9._-]+)+")
_MEDIA_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}")

NOBODY = "reuse-surface.invalid"
"""The publisher in the URNs of a hub whose host is no domain name, such as ``localhost`` (RFC 6761 §6.4)."""


class Naming:
    """Gives names and addresses to the capabilities of the hub with the public URL *public*."""

    def __init__(self, public: str) -> None:
        self.public = public
        host = (urlsplit(public).hostname or "").lower()
        self.publisher = host if _DOMAIN.fullmatch(host) else NOBODY
        self.extension = ".".join([*reversed(self.publisher.split(".")), "source"])

    def urn(self, *names: str) -> str:
        """Return ``urn:air:<host>:<name>:…`` of *names*, in the hub's namespace."""
        return ":".join(["urn:air", self.publisher, *names])

    def own(self, capability: Capability) -> str | None:
        """Return the capability's ``identifier``; None where it has none, a malformed one, or one of the hub's."""
        urn = capability.text("identifier")
        match = _URN.fullmatch(urn) if len(urn) <= _LONGEST else None
        if match is None or len(match[1]) > 253 or match[1].lower() == self.publisher:  # noqa: PLR2004 - RFC 1035
            return None
        return match[0]

    def identifier(self, repo: str, capability: Capability) -> str:
        """Return the URN of *capability*, one of *repo*: its own, else one of the hub's."""
        return self.own(capability) or self.urn("capability", repo, capability.id)

    def address(self, repo: str, capability: Capability) -> str:
        """Return the URL of *capability*, one of *repo*: its own, else its URL at the hub."""
        return capability.url or f"{self.public}/v1/capabilities/{quote(repo)}/{quote(capability.id)}"

    def media_type(self, capability: Capability) -> str:
        """Return the media type at the URL of *capability*: its own ``type``, else a guess from the URL's ending."""
        kind, url = capability.text("type"), capability.url
        if _MEDIA_TYPE.fullmatch(kind):
            return kind
        if not url:
            return "application/json"
        return "text/markdown" if urlsplit_path(url).endswith(".md") else "text/html"

    def facts(self, part: Part, capability: Capability) -> Iterator[tuple[str, str]]:
        """Yield (kind, value) for the filters of ARD alone: ``type``, ``publisher``, ``identifier``."""
        yield "type", self.media_type(capability)
        own = self.own(capability)
        yield "publisher", publisher_of(own or self.urn("capability", part.repo, capability.id))
        if own:
            yield "identifier", own


def publisher_of(urn: str) -> str:
    """Return the publisher of *urn*, its third part, in lower case."""
    return urn.split(":")[2].lower()


def is_urn(text: str) -> bool:
    """Tell whether *text* is a URN by ARD's own rules, which are looser than those of its readers."""
    return len(text) <= _LONGEST and _LOOSE_URN.fullmatch(text) is not None


def urlsplit_path(url: str) -> str:
    """Return *url* without query and fragment, in lower case; *url* may be malformed."""
    return re.split(r"[?#]", url, maxsplit=1)[0].lower()
