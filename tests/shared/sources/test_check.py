from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.fetch import Fetcher, Validators
from shared.fetch.guard import Guard
from shared.problems import InvalidIndex, StorageUnavailable
from shared.registration import Registration
from shared.sources import shelf as shelf_module
from shared.sources.check import Checker
from shared.sources.shelf import Shelf
from tests.builders import Hands, index, registration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import respx

ROW = Registration(
    **registration(), registered_at="2026-11-23T10:00:00Z", updated_at="", registered_by="operator", revision=1
)


@pytest.fixture
async def checker(tmp_path: Path, hands: Hands) -> AsyncIterator[Checker]:
    made = Checker(Fetcher(Guard(), "tests"), Shelf(tmp_path / "content"), hands.clock())
    yield made
    await made.close()


async def test_changed_content_comes_with_its_draft(checker: Checker, upstream: respx.MockRouter) -> None:
    upstream.get(ROW.url).respond(content=index(), headers={"ETag": '"1"'})

    found = await checker.check(ROW, None)

    assert found.draft is not None
    assert found.draft.exists()
    assert found.kept is not None
    assert (found.kept.validators, found.kept.url, found.size) == (Validators('"1"', ""), ROW.url, len(index()))


async def test_unchanged_content_comes_without(checker: Checker, upstream: respx.MockRouter) -> None:
    route = upstream.get(ROW.url).respond(content=index(), headers={"ETag": '"1"'})
    kept = (await checker.check(ROW, None)).kept

    equal = await checker.check(ROW, kept)
    route.respond(304)
    same = await checker.check(ROW, kept)

    assert (equal.draft, same.draft) == (None, None)
    assert (equal.size, same.size) == (len(index()), None)
    assert same.kept is kept


async def test_an_invalid_index_names_its_place(checker: Checker, upstream: respx.MockRouter) -> None:
    upstream.get(ROW.url).respond(content=b"version: 1\ncapabilities:\n- id: Upper\n  name: x\n")

    with pytest.raises(InvalidIndex, match=r"Line 3, column 7: /capabilities/0/id does not match") as fault:
        await checker.check(ROW, None)

    assert fault.value.source_status == 200


async def test_a_full_volume_is_not_the_sources_fault(
    checker: Checker, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageUnavailable("Full.", status=507)

    monkeypatch.setattr(shelf_module, "write_draft", full)
    upstream.get(ROW.url).respond(content=index())

    with pytest.raises(StorageUnavailable):
        await checker.check(ROW, None)
