from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.index import read_index
from shared.problems import StartError, StorageUnavailable
from shared.sources.shelf import Kept, Shelf
from tests.builders import capability, index

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://example.org/a"
CONTENT = read_index(index(capability(1, tags=["ä", "b"]), capability(2), domain="d"), "a")
KEPT = Kept(URL, Validators('"1"', "Mon"), "2026-11-23T10:00:00Z", CONTENT)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "content")


def keep(shelf: Shelf, kept: Kept = KEPT) -> None:
    shelf.place(shelf.draft("a", kept), "a")
    shelf.sync()


def test_gives_back_what_was_kept(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)

    assert Shelf(tmp_path / "content").load("a", URL) == KEPT


def test_knows_nothing_of_another_url_or_repo(shelf: Shelf) -> None:
    keep(shelf)

    assert shelf.load("a", "https://example.org/other") is None
    assert shelf.load("b", URL) is None


def test_forgets(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)

    shelf.drop("a")
    shelf.drop("a")

    assert list((tmp_path / "content").iterdir()) == []


def test_drops_what_no_registration_stands_behind_and_drafts(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)
    shelf.draft("a", KEPT)
    (tmp_path / "content" / "gone.json").write_text("{}")

    shelf.drop_all_but({"a"})

    assert [path.name for path in (tmp_path / "content").iterdir()] == ["a.json"]


def test_a_draft_that_does_not_count_is_forgotten(shelf: Shelf, tmp_path: Path) -> None:
    shelf.discard(shelf.draft("a", KEPT))
    shelf.discard(None)

    assert list((tmp_path / "content").iterdir()) == []


def test_a_draft_whose_place_is_gone_is_told(shelf: Shelf, tmp_path: Path) -> None:
    draft = shelf.draft("a", KEPT)
    draft.unlink()

    with pytest.raises(StorageUnavailable):
        shelf.place(draft, "a")

    assert list((tmp_path / "content").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":0}', b'{"format":1,"url":"https://example.org/a"}'])
def test_a_bad_file_stops_the_start_and_is_left_as_it_is(shelf: Shelf, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "content" / "a.json"
    path.write_bytes(content)

    with pytest.raises(StartError, match=r"a.json is damaged .* remove it"):
        shelf.load("a", URL)

    assert path.read_bytes() == content
