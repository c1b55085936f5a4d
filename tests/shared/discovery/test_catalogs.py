from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

import shared.discovery.catalogs as module
from shared.discovery import entries
from shared.discovery.catalogs import Catalog, Catalogs, lookup, pieces_of
from shared.discovery.naming import Naming
from shared.reads import Reads
from shared.web.answers import tag_of_body
from tests.builders import capability
from tests.shared.search.editions import edition
from tests.shared.sharing import LATER, part

if TYPE_CHECKING:
    from shared.federation import Federation
    from shared.model.compose import Part

HUB = Naming("https://reuse.example.org")


def catalogs(*parts: Part) -> Catalogs:
    return Catalogs(cast("Federation", SimpleNamespace(edition=edition(*parts))), HUB, Reads())


def listed(catalog: Catalog | None) -> list[dict[str, Any]]:
    """Return the entries of a catalog, having checked its frame and tag."""
    assert catalog
    assert len(catalog.body) <= module.MOST_BYTES
    assert catalog.tag == tag_of_body(catalog.body)
    body = json.loads(catalog.body)
    assert body.keys() == {"specVersion", "host", "entries"}
    assert (body["specVersion"], body["host"]["identifier"]) == ("1.0", "reuse.example.org")
    made: list[dict[str, Any]] = body["entries"]
    assert len({one["identifier"] for one in made}) == len(made)
    assert [entries.fault(one) for one in made] == [None] * len(made)
    return made


async def test_the_root_leads_to_the_search_and_to_every_repo_that_serves_something() -> None:
    parts = [part("b", capability(1)), part("a", capability(2)), part("none"), part("off", state="never")]

    root = listed(await catalogs(*parts).root())

    assert [one["displayName"] for one in root[1:]] == ["a", "b"]
    assert root[0]["type"] == entries.AI_REGISTRY


async def test_a_repo_s_catalog_has_what_is_served_of_it(caplog: pytest.LogCaptureFixture) -> None:
    made = catalogs(
        part("first", capability(1)), part("second", capability(1), capability(2), capability(3, name=" "), at=LATER)
    )

    assert [one["capabilities"] for one in listed(await made.of_repo("second", 1))] == [["capability.example.n2"]]
    urn = "urn:air:reuse.example.org:capability:second:capability.example.n3"
    assert caplog.messages == [f"left out of the catalogs: {urn!r}: /displayName is required"]
    assert listed(await made.of_repo("not-there-yet", 1)) == []
    assert await made.of_repo("second", 2) is None


async def test_a_name_is_given_once_in_a_catalog() -> None:
    own = {"identifier": "urn:air:example.org:x"}

    made = listed(await catalogs(part("ours", capability(1, **own), capability(2, **own))).of_repo("ours", 1))

    assert [one["identifier"] for one in made] == [
        "urn:air:example.org:x", "urn:air:reuse.example.org:capability:ours:capability.example.n2",
    ]  # fmt: skip


async def test_what_is_too_large_for_one_document_comes_in_parts() -> None:
    many = part("many", *(capability(number, summary="\n" * 1000, tags=["x" * 200] * 5) for number in range(900)))
    made = catalogs(many)
    count = len(pieces_of(HUB, many))
    assert count > 1

    root = listed(await made.root())
    pieces = [listed(await made.of_repo("many", number)) for number in range(1, count + 1)]

    assert [one["url"].rpartition("json")[2] for one in root[1:]] == ["", *(f"?part={n}" for n in range(2, count + 1))]
    assert len({one["identifier"] for piece in pieces for one in piece}) == 900
    assert await made.of_repo("many", count + 1) is None


async def test_many_repos_are_parted_by_domain() -> None:
    parts = [part(f"repo-{number}", capability(number)) for number in range(30)]
    # With addresses as long as this a few repos take as much as thousands do.
    url = "https://git.example.org/" + "p" * 80_000
    for number, domain in enumerate(["small"] * 5 + ["helix_forge"] * 25):
        moved = replace(parts[number].registration, url=url, domain=domain)
        parts[number] = replace(parts[number], registration=moved)
    made = catalogs(*parts)

    root = listed(await made.root())

    names = [one["displayName"] for one in root[1:]]
    assert names[-1] == "small"
    assert names[0] == f"helix_forge (1 of {len(names) - 1})"
    pieces = [listed(await made.of_domain("helix_forge", number)) for number in range(1, len(names))]
    assert sorted(one["displayName"] for piece in pieces for one in piece) == sorted(f"repo-{n}" for n in range(5, 30))
    assert len(listed(await made.of_domain("small", 1))) == 5
    assert await made.of_domain("small", 2) is None
    assert await made.of_domain("none", 1) is None


async def test_a_catalog_is_made_once_per_edition() -> None:
    federation = SimpleNamespace(edition=edition(part("ours", capability(1))))
    made = Catalogs(cast("Federation", federation), HUB, Reads())
    first = await made.root()
    assert await made.root() is first

    federation.edition = edition(part("theirs", capability(1)), serial=2)

    assert [one["displayName"] for one in listed(await made.root())[1:]] == ["theirs"]
    tight = Catalogs(cast("Federation", federation), HUB, Reads(), kept_bytes=10)
    assert await tight.root() == await tight.root()


async def test_names_that_nobody_has_are_answered_without_computing_and_kept_by_nobody() -> None:
    federation = SimpleNamespace(edition=edition(part("ours", capability(1))))
    reads = Reads()
    made = Catalogs(cast("Federation", federation), HUB, reads)
    await reads.close()

    # The threads have ended: what had to be computed would fail.
    assert [await made.of_domain(f"z{number}", 1) for number in range(300)] == [None] * 300
    assert await made.of_domain("z" * 30_000, 1) is None
    with pytest.raises(RuntimeError):
        await made.of_domain("helix_forge", 1)


async def test_pieces_that_are_not_there_are_kept_within_the_same_bound() -> None:
    federation = SimpleNamespace(edition=edition(part("ours", capability(1))))
    made = Catalogs(cast("Federation", federation), HUB, Reads())

    for number in range(2, 9000):
        assert await made.of_repo("ours", number) is None

    assert len(made._kept) <= module.KEPT_BYTES // 1000


async def test_who_asks_for_one_catalog_at_once_has_it_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    federation = SimpleNamespace(edition=edition(part("ours", capability(1))))
    made = Catalogs(cast("Federation", federation), HUB, Reads())
    counted, whole = [], module._repos

    def repos(*about: Any) -> Any:
        counted.append(about)
        return whole(*about)

    monkeypatch.setattr(module, "_repos", repos)

    bodies = await asyncio.gather(*(made.of_domain("helix_forge", 1) for _ in range(50)))

    assert (len(set(bodies)), len(counted)) == (1, 1)


OWN = {"identifier": "urn:air:example.org:x"}
EDITION = edition(
    part("first", capability(1), capability(2, **OWN), capability(3, name=" ")), part("second", capability(1), at=LATER)
)
ID = "capability.example.n"


@pytest.mark.parametrize(
    ("names", "display"),
    [
        (f"capability:first:{ID}1", "Example 1"),
        ("catalog:second", "second"),
        ("registry:federation", "Search over all registered capability indexes"),
    ],
)
def test_what_the_hub_named_is_found(names: str, display: str) -> None:
    found = lookup(HUB, EDITION, f"urn:air:reuse.example.org:{names}")

    assert found
    assert (found["identifier"], found["displayName"]) == (f"urn:air:reuse.example.org:{names}", display)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(f"capability:second:{ID}1", id="it lost its id"),
        pytest.param(f"capability:first:{ID}2", id="it has a name of its own"),
        pytest.param(f"capability:first:{ID}3", id="it is left out"),
        pytest.param(f"capability:first:{ID}4", id="it is not there"),
        pytest.param("capability:nobody:x", id="nor is its repo"),
        pytest.param("catalog:nobody", id="nor is that catalog"),
        pytest.param("registry:other", id="there is one registry"),
        pytest.param("x", id="something else"),
    ],
)
def test_what_is_not_served_under_a_name_is_not_found(names: str) -> None:
    assert lookup(HUB, EDITION, f"urn:air:reuse.example.org:{names}") is None
    assert lookup(HUB, EDITION, f"urn:air:other.example.org:{names}") is None
