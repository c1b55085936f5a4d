from __future__ import annotations

import json
from typing import Any

import pytest

from shared.formats import HUB, Publisher, Relayed
from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty
from shared.problems import SourceTooLarge
from tests.builders import capability, index
from tests.shared.federated import NOW, federated, row


def relayed(body: bytes, *, required: bool = False) -> dict[str, Relayed]:
    reading = HUB.reading(body, Publisher("hub", "https://hub.example.org/v1/federated", required))
    assert reading.content is None
    return {one.repo: one for one in reading.relayed}


def faults(body: bytes, *, required: bool = False) -> list[tuple[int, str, str]]:
    with pytest.raises(DocumentFaulty) as raised:
        relayed(body, required=required)
    return [(fault.line, fault.pointer, fault.detail) for fault in raised.value.faults]


def line_of(body: bytes, text: str) -> int:
    """Return the line on which *text* stands last."""
    return body[: body.rindex(text.encode())].count(b"\n") + 1


def test_each_repo_keeps_its_name_and_what_is_said_of_its_source() -> None:
    entries = [capability(1, source_repo="a"), capability(2, source_repo="b"), capability(3, source_repo="a")]
    found = relayed(federated(*entries, sources=[row("a", state="held"), row("b", domain="other")]))

    assert [one[:5] for one in found.values()] == [
        ("a", "https://git.example.org/a", "railiance", "held", NOW),
        ("b", "https://git.example.org/b", "other", "fresh", NOW),
    ]
    assert found["a"].content == read_index(index(capability(1), capability(3), domain="railiance"), "a")
    assert found["b"].content == read_index(index(capability(2), domain="other"), "b")


def test_places_of_documents_are_kept_and_never_made_of_paths() -> None:
    led = capability(1, source_repo="inner", entry_url="https://git.example.org/n1.md", path="elsewhere.md")
    runs = capability(2, source_repo="inner", entry_url="javascript:alert(1)")
    bare = capability(3, source_repo="inner", path="n3.md")
    content = relayed(federated(led, runs, bare))["inner"].content

    assert content is not None
    assert [json.loads(entry.json).get("entry_url") for entry in content.entries] == [
        "https://git.example.org/n1.md", None, None,
    ]  # fmt: skip


def test_a_source_that_serves_nothing_has_no_content() -> None:
    found = relayed(federated(sources=[row("inner"), row("gone", digest=None, changed_at=None, state="failed")]))

    assert found["gone"] == Relayed("gone", "https://git.example.org/gone", "railiance", "failed", None, None)


A, B = capability(1, source_repo="a"), capability(2, source_repo="b")
BOTH = [row("a"), row("b")]


@pytest.mark.parametrize(
    ("body", "pointer", "detail", "at"),
    [
        pytest.param(federated(version=2), "/version", "must be 1", '"version"', id="another version"),
        pytest.param(
            federated(A, sources=[row("a", digest=7)]), "/sources/0/digest", "must be text, or null", "7", id="a digest"
        ),
        pytest.param(
            federated(A, {**B, "id": "?"}, sources=BOTH), "/capabilities/1/id", "does not match", '"?"', id="an id"
        ),
        pytest.param(
            federated(A, B, {**B, "name": " "}, sources=BOTH),
            "/capabilities/2/id", "stands twice", '"capability.example.n2"', id="an id twice in one repo",
        ),
        pytest.param(
            federated(A, {**B, "name": " "}, sources=BOTH),
            "/capabilities/1/name", "can be seen", '" "', id="a name that nobody sees, in its place in the whole",
        ),
        pytest.param(
            federated(A, {**B, "source_repo": "stranger"}, sources=BOTH),
            "/capabilities/1/source_repo", "names none of the sources", '"stranger"', id="an entry of nobody",
        ),
        pytest.param(
            federated(A, sources=[row("a"), row("c", domain="No Domain")]),
            "/sources/1/domain", "does not match", '"No Domain"', id="a domain",
        ),
        pytest.param(
            federated(A, sources=[row("a"), row("c", url="javascript:alert(1)")]),
            "/sources/1/url", "neither a web address nor a path", '"javascript', id="a url that runs",
        ),
        pytest.param(
            federated(A, sources=[row("a"), row("b"), row("a", url="https://evil.example/")]),
            "/sources/2/repo", "stands twice", '"a",\n   "url": "https://evil', id="a source twice",
        ),
    ],
)  # fmt: skip
def test_every_fault_is_told_at_its_place_in_the_whole_document(
    body: bytes, pointer: str, detail: str, at: str
) -> None:
    told = {where: (line, says) for line, where, says in faults(body)}

    assert detail in told[pointer][1]
    assert told[pointer][0] == line_of(body, at)


def test_all_faults_between_sources_and_entries_are_told_at_once_but_a_hundred_at_most() -> None:
    strangers = [capability(number, source_repo="stranger") for number in range(150)]
    bad = [capability(number, source_repo=repo, name=" ") for repo in ("a", "b") for number in range(80)]

    assert len(faults(federated(*strangers[:2], sources=[row("a", url="data:x")]))) == 3
    assert len(faults(federated(*strangers, sources=[row("a")]))) == 100
    assert len(faults(federated(*bad, sources=BOTH))) == 100


EMPTY = row("inner", digest=None, changed_at=None, state="failed")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"complete": False, "missing_required": ["gone"]},
            ("/missing_required", "it is itself incomplete: gone"),
            id="it is incomplete",
        ),
        pytest.param({"sources": []}, ("/sources", "none of them has anything to serve"), id="no source"),
        pytest.param({"sources": [EMPTY]}, ("/sources", "none of them has anything to serve"), id="an empty source"),
    ],
)
def test_of_a_required_publisher_it_must_be_whole_and_serve_something(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    body = federated(**{"capabilities": []} | changes)

    assert relayed(body) is not None
    [(_, pointer, detail)] = faults(body, required=True)
    assert pointer == expected[0]
    assert detail.startswith(expected[1])


def test_the_number_of_capabilities_of_one_repo_is_bounded() -> None:
    ours = [{"id": f"n{number}", "name": "x", "source_repo": "a"} for number in range(20_001)]
    other = {"id": "n0", "name": "x", "source_repo": "b"}

    assert len(relayed(federated(*ours[:-1], other, sources=BOTH))) == 2
    with pytest.raises(SourceTooLarge):
        relayed(federated(*ours, sources=BOTH))
