from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.index import read_index
from shared.registration import Registration
from shared.sources.journal import Record
from shared.sources.memory import Memory
from shared.sources.restoring import restored
from shared.sources.shelf import Kept, Shelves
from shared.sources.status import Status
from tests.builders import Hands, capability, index, registration

if TYPE_CHECKING:
    from pathlib import Path

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:00:00Z"


def kept(number: int) -> Kept:
    return Kept(ROW.url, Validators(), NOW, read_index(index(capability(number)), ROW.repo))


@pytest.fixture
def shelves(tmp_path: Path) -> Shelves:
    """Shelves with content number 1 that is served, and number 2 that is held."""
    made = Shelves(tmp_path)
    for shelf, number in ((made.good, 1), (made.held, 2)):
        shelf.place(shelf.draft(ROW.repo, kept(number)), ROW.repo)
    return made


def test_without_a_record_the_content_is_there_and_due(shelves: Shelves) -> None:
    clock = Hands().clock()

    source = restored(ROW, None, shelves, clock)

    assert (source.kept, source.due, source.good) == (kept(1), clock.monotonic(), clock.monotonic())
    assert source.held is not None
    assert (source.held.kept, source.held.seen) == (kept(2), None)


@pytest.mark.parametrize(
    ("next_check_at", "seconds"),
    [
        pytest.param("2026-11-23T10:10:00Z", 600, id="later"),
        pytest.param("2026-11-23T09:00:00Z", 0, id="overdue"),
        pytest.param("2036-11-23T10:00:00Z", 3960, id="as a clock that jumped wrote it"),
    ],
)
def test_the_record_says_when_the_next_check_is_due(shelves: Shelves, next_check_at: str, seconds: float) -> None:
    clock = Hands().clock()
    status = Status(state="fresh", checked_at=NOW, succeeded_at="2026-11-23T09:50:00Z", next_check_at=next_check_at)
    record = Record(ROW.repo, ROW.url, status, Memory((), None, "2026-11-23T09:30:00Z"))

    source = restored(ROW, record, shelves, clock)

    assert source.due == pytest.approx(clock.monotonic() + seconds)
    assert source.good == pytest.approx(clock.monotonic() - 600)
    assert source.held is not None
    assert source.held.seen == pytest.approx(clock.monotonic() - 1800)


def test_what_an_acceptance_left_on_the_other_shelf_is_not_held(shelves: Shelves) -> None:
    shelves.good.place(shelves.good.draft(ROW.repo, kept(2)), ROW.repo)

    assert restored(ROW, None, shelves, Hands().clock()).held is None


def test_content_of_another_url_counts_for_nothing(shelves: Shelves) -> None:
    source = restored(replace(ROW, url="https://example.org/moved"), None, shelves, Hands().clock())

    assert (source.kept, source.held, source.good) == (None, None, None)
