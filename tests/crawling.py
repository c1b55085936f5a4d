"""Every address that a hub names to its readers, followed from its front door as a crawler does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

_ATTRIBUTES = {"href", "src", "action", "data-base"}
_ACCEPTED = ("text/html,application/xhtml+xml,*/*;q=0.8", "*/*")


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.values: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values += [value or "" for name, value in attrs if name in _ATTRIBUTES]


def values_of(document: Any, name: str = "") -> Iterator[str]:
    """Yield the texts in a JSON document that may be addresses; pointers into documents and examples are none."""
    if name in {"pointer", "example", "examples"}:
        return
    if isinstance(document, dict):
        for key, value in document.items():
            yield from values_of(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from values_of(value, name)
    elif isinstance(document, str) and re.match(r"/|https?://", document):
        yield document


def addresses_of(answer: httpx.Response) -> Iterator[str]:
    """Yield the addresses that *answer* names, in its head and its body, as they are written there."""
    yield from re.findall(r"<([^>]*)>", answer.headers.get("link", ""))
    if "location" in answer.headers:
        yield answer.headers["location"]
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/html":
        reader = _Attributes()
        reader.feed(answer.text)
        yield from reader.values
    elif kind.endswith("json"):
        yield from values_of(answer.json())
    elif kind == "text/plain":
        yield from re.findall(r"(?<=\]\()[^)]+|(?<=Agentmap: )\S+", answer.text)


@dataclass
class Crawler:
    """Follows what a hub at *public*, its public URL, names; *client* talks to what stands before it."""

    client: httpx.AsyncClient
    public: str
    seen: dict[str, int] = field(default_factory=dict)
    outside: set[tuple[str, str]] = field(default_factory=set)

    @property
    def _origin(self) -> str:
        parts = urlsplit(self.public)
        return f"{parts.scheme}://{parts.netloc}"

    def beneath(self, url: str) -> bool:
        """Tell whether *url* is the public URL or stands beneath it."""
        return re.match(re.escape(self.public) + r"($|[/?#])", url) is not None

    def read(self, answer: httpx.Response) -> list[str]:
        """Return the URLs of the hub that *answer* names, and note those of its host that are not beneath the hub."""
        asked = str(answer.request.url)
        named = [urljoin(asked, one).partition("#")[0] for one in addresses_of(answer)]
        # Also what stands in lines to copy and in running text has to be beneath.
        text = re.findall(re.escape(self._origin) + r"[^\s\"'`<>)\\]*", answer.text)
        ours = [url for url in named if url.startswith(f"{self._origin}/")]
        self.outside |= {(asked, url) for url in (*ours, *text) if not self.beneath(url)}
        return ours

    async def crawl(self, *begin: str) -> dict[str, int]:
        """Get *begin*, URLs, and all they lead to, as a browser and as a program; return each one's worst status."""
        waiting = list(begin)
        while waiting:
            url = waiting.pop()
            if url in self.seen:
                continue
            answers = [await self.client.get(url, headers={"Accept": accept}) for accept in _ACCEPTED]
            self.seen[url] = max(answer.status_code for answer in answers)
            waiting += [found for answer in answers for found in self.read(answer)]
        return self.seen
