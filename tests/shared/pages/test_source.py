from __future__ import annotations

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.lines import ChangeLine, Delta
from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.model.stored_content import HeldContent, StoredContent
from shared.pages.source import MOST_CHANGES, recent, waiting
from tests.builders import capability, index, registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:01:00Z"


def kept(*numbers: int) -> StoredContent:
    return StoredContent(ROW.url, Validators(), NOW, read_index(index(*map(capability, numbers)), ROW.repo))


def line(serial: int, **capabilities: dict[str, bool]) -> ChangeLine:
    return ChangeLine.of(serial, "", Delta(sources={"a": True}, capabilities=capabilities))


def test_tells_what_came_and_went_the_newest_first() -> None:
    lines = [line(1, a={"x": True, "y": True}), line(2, b={"a": True}), line(3, a={"x": False, "z": True}), line(4)]

    assert recent(lines, "a") == [(3, 3, ["z"], ["x"]), (1, 1, ["x", "y"], [])]
    assert recent(lines, "c") == []


def test_goes_no_further_back_than_it_shows() -> None:
    lines = [line(number, a={"x": True}) for number in range(20)]

    assert [turn.serial for turn in recent(lines, "a")] == list(range(19, 19 - MOST_CHANGES, -1))


def test_serials_that_are_told_together_are_one_turn() -> None:
    together = ChangeLine.joined([line(1, a={"x": True, "y": True}), line(2, a={"x": False})])

    assert recent([together, line(3, b={"x": True})], "a") == [(1, 2, ["y"], ["x"])]


def test_tells_what_would_vanish() -> None:
    served, fewer = kept(1, 2, 3, 4), kept(2)

    assert waiting(SourceView(ROW, last_good=served)) is None
    assert waiting(SourceView(ROW, last_good=served, held=HeldContent(fewer, 0.0))) == (
        [f"capability.example.n{number}" for number in (1, 3, 4)], 4, NOW, fewer.content.digest
    )  # fmt: skip


def test_nothing_waits_where_there_is_no_source() -> None:
    assert waiting(None) is None
