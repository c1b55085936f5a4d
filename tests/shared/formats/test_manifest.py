from __future__ import annotations

import json
from typing import Any

import pytest

from shared.formats.documents import DocumentFaulty
from shared.formats.manifest import read_manifest, sift_manifest
from shared.schemas import MAX_OFFENCES
from tests.builders import registration, url_of


def manifest(*sources: object, **changes: Any) -> bytes:
    return json.dumps({"version": 1, "sources": list(sources), **changes}).encode()


def source(repo: str, **changes: Any) -> dict[str, Any]:
    return registration(repo=repo, **{"url": url_of(repo), **changes})


LOCAL = {"repo": "local", "domain": "d", "index": "a/b.yaml"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(manifest(), id="empty"),
        pytest.param(manifest(source("a"), source("b", required=True, cache_ttl_seconds=0)), id="published"),
        pytest.param(manifest(LOCAL), id="local"),
        pytest.param(b"version: 1\nsources: []\n", id="YAML"),
    ],
)
def test_a_good_manifest_is_given_back(body: bytes) -> None:
    assert read_manifest(body)["version"] == 1


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param(b"[]", [""], id="no mapping"),
        pytest.param(b"version: 1\n", ["/sources"], id="no sources"),
        pytest.param(manifest(sources={}), ["/sources"], id="no list"),
        pytest.param(manifest(version=2), ["/version"], id="another version"),
        pytest.param(manifest(colour=1), ["/colour"], id="an unknown key"),
        pytest.param(manifest(7), ["/sources/0"] * 2, id="no source"),
        pytest.param(manifest(source("a", url=None)), ["/sources/0"], id="neither url nor index"),
        pytest.param(
            manifest(source("a", domain="D", enabled=0)), ["/sources/0/domain", "/sources/0/enabled"], id="two of them"
        ),
        pytest.param(manifest(source("a", url="https://u:p@x.org/")), ["/sources/0/url"], id="a password"),
        pytest.param(manifest(source("a"), source("a", url=url_of("b"))), ["/sources/1/repo"], id="a name twice"),
        pytest.param(
            manifest(source("a"), source("b", url=url_of("a").replace("git.", "GIT."))),
            ["/sources/1/url"],
            id="a URL twice",
        ),
    ],
)
def test_every_fault_is_named(body: bytes, pointers: list[str]) -> None:
    with pytest.raises(DocumentFaulty) as fault:
        read_manifest(body)

    assert sorted(one.pointer for one in fault.value.faults) == pointers


def test_faults_have_their_places() -> None:
    with pytest.raises(DocumentFaulty) as fault:
        read_manifest(b"version: 1\nsources:\n- repo: a\n  domain: d\n  url: x\n- {repo: B, domain: d, index: i}\n")

    assert [(one.line, one.column) for one in fault.value.faults] == [(5, 8), (6, 10)]


def test_a_hundred_faults_are_enough() -> None:
    with pytest.raises(DocumentFaulty) as fault:
        read_manifest(manifest(*[7] * 500))

    assert len(fault.value.faults) == MAX_OFFENCES


def test_entries_in_order_are_told_from_those_that_are_not() -> None:
    good, local = source("a"), LOCAL
    sifted = sift_manifest(
        manifest(good, source("b", domain="D"), "c", {"repo": 7}, local, source("a", url=url_of("e")))
    )

    assert sifted.manifest is None
    assert sifted.sources == [good, local]
    assert sifted.refused == [
        {"pointer": "/sources/1", "repo": "b"},
        {"pointer": "/sources/2", "repo": None},
        {"pointer": "/sources/3", "repo": None},
        {"pointer": "/sources/5", "repo": "a"},
    ]


def test_what_stands_behind_the_hundredth_fault_is_refused_too() -> None:
    sifted = sift_manifest(manifest(source("a"), *[7] * 200, source("y" * 101)))

    assert [one["repo"] for one in sifted.sources] == ["a"]
    assert sifted.refused[-1] == {"pointer": "/sources/201", "repo": None}
    assert len(sifted.refused) == 201


@pytest.mark.parametrize("changes", [{"version": 2}, {"colour": 1}, {"sources": {}}], ids=["version", "key", "no list"])
def test_a_frame_that_breaks_a_rule_leaves_no_entry_in_order(changes: dict[str, Any]) -> None:
    sifted = sift_manifest(manifest(source("a"), 7, **changes))

    assert (sifted.sources, sifted.refused) == ([], [])
    assert sifted.faults
