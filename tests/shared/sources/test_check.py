from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from shared.clock import Clock
from shared.fetch import Fetcher, TalkTime, Validators
from shared.fetch.guard import Guard
from shared.formats import HUB, Reading
from shared.formats.capability_index import read_index
from shared.formats.reader import DocumentReader
from shared.model.stored_content import StoredContent
from shared.problems import InvalidIndex, Overloaded, SourceNotAnIndex, SourceStatus
from shared.sources.check import Checker, CheckResult
from shared.sources.unread import UnreadDocuments
from tests.builders import capability, index

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import respx

    from shared.formats import Publisher, SourceFormat

REPO, URL = "state-hub", "https://git.example.org/state-hub/capabilities.yaml"


@pytest.fixture
async def checker() -> AsyncIterator[Checker]:
    made = Checker(Fetcher(Guard(), "tests"), DocumentReader())
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

    found = await checker.check(REPO, URL, StoredContent(URL, Validators('"7"'), "T", content))

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


async def test_the_source_is_asked_for_an_index(checker: Checker, upstream: respx.MockRouter) -> None:
    route = upstream.get(URL).respond(content=index())

    await checker.check(REPO, URL)

    assert route.calls.last.request.headers["accept"] == "application/yaml, application/json;q=0.9, */*;q=0.5"


async def test_a_document_that_speaks_for_others_alone_is_refused_and_no_content(
    upstream: respx.MockRouter
) -> None:
    checker = Checker(Fetcher(Guard(), "tests"), DocumentReader(), source_format=HUB)
    nothing = {"generated_at": "2026-11-23T10:00:00Z", "complete": True, "missing_required": [], "conflicts": []}
    federated = json.dumps({"version": 1, "sources": [], "capabilities": [], **nothing}).encode()
    upstream.get(URL).respond(content=federated)

    with pytest.raises(InvalidIndex, match="speaks for other repos alone") as fault:
        await checker.check(REPO, URL)
    await checker.close()

    assert fault.value.source_status == 200


async def test_what_is_no_index_says_so_with_the_status(checker: Checker, upstream: respx.MockRouter) -> None:
    upstream.get(URL).respond(content=b"<html>")

    with pytest.raises(SourceNotAnIndex) as fault:
        await checker.check(REPO, URL)

    assert fault.value.source_status == 200


async def test_what_the_machine_lacks_is_no_fault_of_the_index(
    checker: Checker, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.get(URL).respond(content=index())

    async def fail(*_: object, **__: object) -> None:
        raise Overloaded("The hub's machine has no memory left.")

    monkeypatch.setattr(DocumentReader, "read", fail)

    with pytest.raises(Overloaded):
        await checker.check(REPO, URL)


SIZE = len(index())


async def test_documents_that_were_fetched_and_wait_to_be_read_have_a_bound_in_bytes(
    upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread, go_on, waiting = UnreadDocuments(5 * SIZE), asyncio.Event(), list[int]()
    checker = Checker(Fetcher(Guard(), "tests"), DocumentReader(), unread)
    read = checker._reader.read

    async def wait(body: bytes, publisher: Publisher, source_format: SourceFormat, *, owner: str) -> Reading:
        waiting.append(len(body))
        await go_on.wait()
        return await read(body, publisher, source_format, owner=owner)

    monkeypatch.setattr(checker._reader, "read", wait)
    route = upstream.get(url__regex=".*").respond(content=index())
    urls = [f"https://h{number}.example/c.yaml" for number in range(12)]
    clock = Clock()
    checks = [
        asyncio.create_task(checker.check(REPO, url, talk=TalkTime(clock, "one" if number % 2 else "other")))
        for number, url in enumerate(urls)
    ]
    async with asyncio.timeout(5):
        while route.call_count < len(urls) or len(waiting) < 4:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)

    assert sum(waiting) == 4 * SIZE
    go_on.set()
    found = await asyncio.gather(*checks)

    assert {one.size for one in found} == {SIZE}
    # What had no room was dropped, and fetched again.
    assert route.call_count == len(urls) + 8
    assert (unread._bytes, unread._lines) == ({}, {})
    await checker.close()


@pytest.mark.parametrize(("status", "body"), [(304, b""), (500, b""), (200, index(*map(capability, range(9))))])
async def test_what_is_fetched_again_may_be_another_answer(
    upstream: respx.MockRouter, status: int, body: bytes
) -> None:
    unread = UnreadDocuments(2 * SIZE)
    checker = Checker(Fetcher(Guard(), "tests"), DocumentReader(), unread)
    assert unread.take("", SIZE)
    route = upstream.get(URL).respond(content=index())
    known = StoredContent(URL, Validators('"7"'), "T", read_index(index(), REPO))
    checking = asyncio.create_task(checker.check(REPO, URL, known))
    async with asyncio.timeout(5):
        while not unread._lines:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)

    route.respond(status, content=body)
    unread.give_back("", SIZE)
    [found] = await asyncio.gather(checking, return_exceptions=True)

    if isinstance(found, CheckResult):
        assert (found.http_status, found.size) == (status, len(body) or None)
    else:
        assert isinstance(found, SourceStatus)
    assert unread._bytes == {}
    await checker.close()


async def test_documents_that_grew_before_they_were_fetched_again_have_the_same_bound(
    upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread, go_on, waiting = UnreadDocuments(8 * SIZE), asyncio.Event(), list[int]()
    checker = Checker(Fetcher(Guard(), "tests"), DocumentReader(), unread)
    grown = b"#" * (3 * SIZE)

    async def wait(body: bytes, *_: object, **__: object) -> Reading:
        waiting.append(len(body))
        await go_on.wait()
        waiting.remove(len(body))
        return Reading(read_index(index(), REPO))

    monkeypatch.setattr(checker._reader, "read", wait)
    assert unread.take("", 4 * SIZE)
    route = upstream.get(url__regex=".*").respond(content=index())
    checks = [asyncio.create_task(checker.check(REPO, f"https://h{number}.example/c.yaml")) for number in range(6)]
    async with asyncio.timeout(5):
        while len(unread._lines.get("", ())) < len(checks):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)
    route.respond(content=grown)
    unread.give_back("", 4 * SIZE)
    async with asyncio.timeout(5):
        while not waiting:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)

    assert waiting == [len(grown)]
    assert unread._bytes == {"": len(grown)}
    go_on.set()
    assert {found.size for found in await asyncio.gather(*checks)} == {len(grown)}
    assert unread._bytes == {}
    await checker.close()
