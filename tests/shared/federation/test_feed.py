from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.federation.changes import Changes
from shared.federation.document import Document, DocumentEncoder, Form, substance
from shared.federation.feed import MOST_BYTES, ChangePosition, page
from shared.model.compose import compose
from shared.model.lines import ChangeLine, Delta
from shared.parameters import JSON, cursor_to
from tests.builders import capability
from tests.shared.sharing import EARLY, LATER, part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.model.compose import Part
    from shared.model.status import State

STATES: tuple[State, ...] = ("never", "fresh", "stale", "failed", "held", "disabled")


class Hub:
    """A federation in memory: what is served, and what changed."""

    def __init__(self) -> None:
        self.encoder, self.changes = DocumentEncoder(), Changes()
        self.document = self.made([], 0)

    def made(self, parts: list[Part], serial: int) -> Document:
        """Return the document of *parts*."""
        composition = compose(parts)
        return self.encoder.document(composition, substance(composition), serial, f"time {serial}")

    def serve(self, parts: list[Part]) -> None:
        """Serve *parts* from now on, by another serial."""
        following = self.made(parts, self.document.serial + 1)
        delta = Delta.between(self.document.composition, following.composition)
        line = ChangeLine.of(following.serial, following.substance, delta)
        self.changes.with_line(line)
        self.changes.keep(line)
        self.document = following

    def served(self) -> dict[str, Any]:
        """Return the document as it is read."""
        read: dict[str, Any] = orjson.loads(self.document.representations[Form(JSON, "identity")].body)
        return read

    def page(self, since: int, limit: int, cursor: str | None = None) -> dict[str, Any]:
        """Return a page of what changed."""
        after = None if cursor is None else ChangePosition.read(cursor)
        told: dict[str, Any] = orjson.loads(
            orjson.dumps(page(self.document, since, self.changes.since(since), limit, after))
        )
        return told


class Copy:
    """A reader that keeps a copy as the specification says, and reads nothing but changes."""

    def __init__(self) -> None:
        self.serial = 0
        self.head: dict[str, Any] = {}
        self.conflicts: list[dict[str, Any]] = []
        self.sources: dict[str, Any] = {}
        self.capabilities: dict[tuple[str, str], Any] = {}

    def pull(self, hub: Hub, limit: int) -> Iterator[None]:
        """Take one page after the other; between two pages anything may happen."""
        told, self.conflicts = hub.page(self.serial, limit), []
        while True:
            self.apply(told)
            if told["next"] is None:
                break
            yield
            told = hub.page(self.serial, limit, told["next"])
        self.serial = told["serial"]

    def apply(self, told: dict[str, Any]) -> None:
        """Apply one page."""
        self.head = told["head"]
        self.conflicts += told["head"]["conflicts"]
        self.sources |= {row["repo"]: row for row in told["sources"]["upserted"]}
        for repo in told["sources"]["removed"]:
            self.sources.pop(repo, None)
        self.capabilities |= {(one["source_repo"], one["id"]): one for one in told["capabilities"]["upserted"]}
        for one in told["capabilities"]["removed"]:
            self.capabilities.pop((one["repo"], one["id"]), None)

    def document(self) -> dict[str, Any]:
        """Return the copy, in the documented order."""
        return {
            **{name: value for name, value in self.head.items() if name != "conflicts"},
            "sources": [self.sources[repo] for repo in sorted(self.sources)],
            "capabilities": [self.capabilities[name] for name in sorted(self.capabilities)],
            "conflicts": self.conflicts,
        }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feed") / "changes.jsonl"


@st.composite
def federations(draw: st.DrawFn) -> list[Part]:
    """Draw some repos with few ids in few wordings, so that everything comes, goes, comes back and is disputed."""
    made = []
    for repo in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        numbers = draw(st.lists(st.integers(1, 4), unique=True))
        entries = [capability(number, name=draw(st.sampled_from(["Ours", "Theirs"]))) for number in numbers]
        at, state = draw(st.sampled_from([EARLY, LATER])), draw(st.sampled_from(STATES))
        made.append(part(repo, *entries, state=state, at=at, required=draw(st.booleans())))
    return made


@given(st.data(), st.lists(federations(), min_size=1, max_size=8))
def test_a_copy_that_applies_the_changes_is_what_is_served(
    data: st.DataObject, history: list[list[Part]]
) -> None:
    hub, copy = Hub(), Copy()
    limits = st.integers(1, 12)
    for parts in history:
        hub.serve(parts)
        if data.draw(st.booleans(), "pull"):
            for _ in copy.pull(hub, data.draw(limits, "names a page")):
                if data.draw(st.booleans(), "changes between two pages"):
                    hub.serve(data.draw(federations(), "meanwhile"))

    for _ in copy.pull(hub, data.draw(limits, "names a page")):
        pass

    assert copy.document() == hub.served()
    assert list(copy.document()) == list(hub.served())
    assert copy.serial == hub.document.serial


@given(st.lists(federations(), min_size=1, max_size=4), st.integers(1, 5))
def test_every_name_is_told_once(history: list[list[Part]], limit: int) -> None:
    hub = Hub()
    for parts in history:
        hub.serve(parts)

    pages = [hub.page(0, limit)]
    while pages[-1]["next"] is not None:
        pages.append(hub.page(0, limit, pages[-1]["next"]))

    told = [row["repo"] for one in pages for row in one["sources"]["upserted"]]
    told += [repo for one in pages for repo in one["sources"]["removed"]]
    assert len(set(told)) == len(told)
    names = [(row["source_repo"], row["id"]) for one in pages for row in one["capabilities"]["upserted"]]
    names += [(row["repo"], row["id"]) for one in pages for row in one["capabilities"]["removed"]]
    assert len(set(names)) == len(names)
    assert all(len(one["sources"]["upserted"]) <= limit for one in pages)
    assert {one["serial"] for one in pages} == {len(history)}


def test_a_page_has_the_documented_shape() -> None:
    hub = Hub()
    hub.serve([part("a", capability(1), capability(2)), part("b", capability(3))])
    hub.serve([part("a", capability(1, name="Other"))])

    assert hub.page(1, 10) == {
        "since": 1,
        "serial": 2,
        "head": {name: value for name, value in hub.served().items() if name not in {"sources", "capabilities"}},
        "sources": {"upserted": hub.served()["sources"], "removed": ["b"]},
        "capabilities": {
            "upserted": [capability(1, name="Other", source_repo="a")],
            "removed": [{"repo": "a", "id": capability(2)["id"]}, {"repo": "b", "id": capability(3)["id"]}],
        },
        "next": None,
    }


def test_a_place_is_read_as_it_was_written() -> None:
    place = ChangePosition(7, 3, "a-repo", "an.id")

    assert ChangePosition.read(str(place)) == place
    assert ChangePosition.read(str(ChangePosition(1, 0, "a", ""))) == ChangePosition(1, 0, "a", "")


@pytest.mark.parametrize("text", ["", "x", "AAAA", cursor_to("[1]"), cursor_to("1 5 a b"), cursor_to("1 0 ../x b")])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be the next of an earlier page"):
        ChangePosition.read(text)


def test_a_page_holds_no_more_conflicts_than_names_would_fit() -> None:
    hub, copy = Hub(), Copy()
    entries = [capability(number) for number in range(10, 60)]
    hub.serve([part("ours", *entries), part("theirs", *entries, at=LATER)])

    pages = [hub.page(0, 7)]
    while pages[-1]["next"] is not None:
        pages.append(hub.page(0, 7, pages[-1]["next"]))
    for _ in copy.pull(hub, 7):
        pass

    told = [conflict for one in pages for conflict in one["head"]["conflicts"]]
    assert [conflict["id"] for conflict in told] == [entry["id"] for entry in entries]
    assert all(len(one["head"]["conflicts"]) + len(one["capabilities"]["upserted"]) <= 7 for one in pages)
    assert len(pages) == -(-(2 + 50 + 50) // 7)
    assert copy.document()["conflicts"] == told


def test_pages_that_end_with_their_bytes_lead_to_what_is_served() -> None:
    hub, copy = Hub(), Copy()
    entries = [capability(number, summary="x" * 50_000 * number) for number in range(1, 40)]
    hub.serve([part("ours", *entries), part("theirs", *entries, at=LATER), part("gone")])
    hub.serve([part("ours", *entries[::-2]), part("theirs", *entries, at=LATER)])

    pages = [hub.page(0, 10_000)]
    while pages[-1]["next"] is not None:
        pages.append(hub.page(0, 10_000, pages[-1]["next"]))
    for _ in copy.pull(hub, 10_000):
        pass

    rows = [[*page["capabilities"]["upserted"], *page["head"]["conflicts"]] for page in pages]
    assert all(len(orjson.dumps(part[:-1])) <= MOST_BYTES for part in rows)
    assert len(pages) == 9
    assert copy.document() == hub.served()
