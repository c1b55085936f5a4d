from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

FOR_PEOPLE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
VOID = {"meta", "link", "input", "img", "br"}
INLINE = {"a", "span", "strong", "em", "code", "time", "bdi", "del", "ins"}


@dataclass
class Page:
    """A page as a test reads it: its markup, every element with what stands in it as text."""

    markup: str
    elements: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    @property
    def whole(self) -> str:
        """All text of the page."""
        return self.text("body")

    def text(self, tag: str) -> str:
        """The text of the first element of this kind."""
        return next(text for name, _, text in self.elements if name == tag)

    def links(self) -> list[tuple[dict[str, str], str]]:
        """Every link outside the picture with its text."""
        return [(about, text) for name, about, text in self.elements if name == "a" and "tabindex" not in about]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str], list[str]]] = []
        self.closed: list[tuple[int, tuple[str, dict[str, str], str]]] = []
        self.order = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in INLINE and self.open:
            self.open[-1][2].append(" ")
        if tag not in VOID:
            self.open.append((tag, {name: value or "" for name, value in attrs} | {"#": str(self.order)}, []))
            self.order += 1

    def handle_endtag(self, tag: str) -> None:
        name, about, texts = self.open.pop()
        assert name == tag, f"<{name}> is closed by </{tag}>"
        text = "".join(texts if tag in INLINE else [*texts, " "])
        self.closed.append((int(about.pop("#")), (name, about, " ".join(text.split()))))
        if self.open:
            self.open[-1][2].append(text)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1][2].append(data)


async def read(client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    """Return the page under *path*, after the checks that hold for every page."""
    answer = await client.get(path, headers=FOR_PEOPLE)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "set-cookie" not in answer.headers
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<style|<iframe|<script(?! src=\"/assets/hub\.js)|<[^>]+ (on\w+|style)=", answer.text)
    reader = _Reader()
    reader.feed(answer.text)
    assert reader.open == []
    page = Page(answer.text, [element for _, element in sorted(reader.closed, key=lambda one: one[0])])
    check_links(page)
    return page


def check_links(page: Page) -> None:
    """Check that links lead to pages of the hub, or to the web without favour."""
    for link, _ in page.links():
        if not link["href"].startswith(("/", "#")):
            assert link["href"].startswith(("https://", "http://"))
            assert link["rel"] == "noopener nofollow"
