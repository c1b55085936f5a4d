from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.fetch import Fetcher, Validators
from shared.fetch.guard import Guard
from shared.index.reader import Reader
from shared.problems import InvalidIndex, Overloaded, SourceNotAnIndex
from shared.sources.check import Checker
from shared.sources.shelf import Kept
from tests.builders import index

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import respx

REPO, URL = "state-hub", "https://git.example.org/state-hub/capabilities.yaml"


@pytest.fixture
async def checker() -> AsyncIterator[Checker]:
    made = Checker(Fetcher(Guard(), "tests"), Reader())
    yield made
    await made.close()


async def test_brings_the_content_and_its_validators(checker: Checker, upstream: respx.MockRouter) -> None:
    upstream.get(URL).respond(content=index(), headers={"ETag": '"1"'})

    found = await checker.check(REPO, URL)

    assert found.content is not None
    assert len(found.content.entries) == 1
    assert (found.http_status, found.size, found.validators) == (200, len(index()), Validators('"1"', ""))


async def test_asks_by_what_is_known_and_brings_nothing_for_304(checker: Checker, upstream: respx.MockRouter) -> None:
    route = upstream.get(URL).respond(content=index())
    content = (await checker.check(REPO, URL)).content
    assert content is not None
    route.respond(304)

    found = await checker.check(REPO, URL, Kept(URL, Validators('"7"'), "T", content))

    assert route.calls.last.request.headers["if-none-match"] == '"7"'
    assert (found.http_status, found.size, found.content, found.validators) == (304, None, None, Validators('"7"'))


async def test_an_invalid_index_comes_with_all_its_faults(checker: Checker, upstream: respx.MockRouter) -> None:
    upstream.get(URL).respond(content=b"version: 1\ncapabilities:\n- id: Upper\n  name: 7\n")

    with pytest.raises(InvalidIndex, match=r"Line 3, column 7: /capabilities/0/id does not match") as fault:
        await checker.check(REPO, URL)

    assert fault.value.source_status == 200
    assert [(one.line, one.column, one.pointer) for one in fault.value.faults] == [
        (3, 7, "/capabilities/0/id"),
        (4, 9, "/capabilities/0/name"),
    ]


async def test_what_is_no_index_says_so_with_the_status(checker: Checker, upstream: respx.MockRouter) -> None:
    upstream.get(URL).respond(content=b"<html>")

    with pytest.raises(SourceNotAnIndex) as fault:
        await checker.check(REPO, URL)

    assert fault.value.source_status == 200


async def test_what_the_machine_lacks_is_no_fault_of_the_index(
    checker: Checker, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.get(URL).respond(content=index())

    async def fail(*_: object) -> None:
        raise Overloaded("The hub's machine has no memory left.")

    monkeypatch.setattr(Reader, "read", fail)

    with pytest.raises(Overloaded):
        await checker.check(REPO, URL)
