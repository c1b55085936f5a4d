from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shared import schemas
from shared.offline import compose_offline
from shared.problems import StartError
from tests.builders import Hands, capability, index, url_of

if TYPE_CHECKING:
    from pathlib import Path

    import respx


class Machine:
    """A machine with a manifest and a cache."""

    def __init__(self, folder: Path, hands: Hands) -> None:
        self.folder = folder
        self.hands = hands

    def compose(self, *sources: dict[str, Any], offline: bool = False, form: str = "yaml") -> dict[str, Any]:
        """Compose these sources."""
        path = self.folder / "sources.yaml"
        path.write_text(json.dumps({"version": 1, "sources": sources}))
        cache = str(self.folder / "cache")
        report = compose_offline(str(path), cache, offline=offline, form=form, clock=self.hands.clock())
        document = yaml.safe_load(report.pop("document"))
        assert schemas.checker("federated-index")(document) == []
        assert "serial" not in document
        return report | {"document": document}


@pytest.fixture
def machine(tmp_path: Path, hands: Hands) -> Machine:
    return Machine(tmp_path, hands)


def source(repo: str = "state-hub", **changes: Any) -> dict[str, Any]:
    return {"repo": repo, "url": url_of(repo), "domain": "helix_forge"} | changes


def states(report: dict[str, Any]) -> list[str]:
    return [one["state"] for one in report["sources"]]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_published_and_local_indexes_make_one_document(machine: Machine, upstream: respx.MockRouter, form: str) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    (machine.folder / "local.yaml").write_bytes(index(capability(1, name="Other"), capability(2)))
    local = {"repo": "another", "index": "local.yaml", "domain": "d"}

    report = machine.compose(source(), local, source("off", enabled=False), form=form)

    document = report["document"]
    assert [row["repo"] for row in document["sources"]] == ["another", "state-hub"]
    assert [(one["id"][-2:], one["source_repo"]) for one in document["capabilities"]] == [
        ("n2", "another"),
        ("n1", "state-hub"),
    ]
    assert document["conflicts"][0]["repo"] == "state-hub", "the first in the manifest is served"
    assert states(report) == ["fresh", "fresh", "disabled"]
    assert (report["complete"], report["capabilities"], report["conflicts"]) == (True, 2, 1)


def test_a_source_is_asked_again_only_when_its_time_is_over_and_then_conditionally(
    machine: Machine, upstream: respx.MockRouter
) -> None:
    route = upstream.get(url_of("state-hub"))
    route.respond(content=index(), headers={"ETag": '"1"'})
    first = machine.compose(source())
    machine.hands.advance(3599)
    machine.compose(source())
    assert route.call_count == 1

    machine.hands.advance(2)
    route.respond(304)
    again = machine.compose(source())

    assert route.calls.last.request.headers["if-none-match"] == '"1"'
    assert route.calls.last.request.headers["accept"] == "application/yaml, application/json;q=0.9, */*;q=0.5"
    assert states(again) == ["fresh"]
    assert again["document"]["capabilities"] == first["document"]["capabilities"]
    assert again["document"]["sources"][0]["changed_at"] == first["document"]["sources"][0]["changed_at"]


def test_what_changed_is_taken_over(machine: Machine, upstream: respx.MockRouter) -> None:
    route = upstream.get(url_of("state-hub"))
    route.respond(content=index())
    machine.compose(source())
    machine.hands.advance(4000)
    route.respond(content=index(capability(7)))

    report = machine.compose(source())

    assert [one["id"] for one in report["document"]["capabilities"]] == ["capability.example.n7"]
    assert report["document"]["sources"][0]["changed_at"] == machine.hands.clock().stamp()


@pytest.mark.parametrize("answer", [{"status_code": 500}, {"content": b"version: 7"}], ids=["status", "bad index"])
def test_what_was_good_outlives_a_failure(machine: Machine, upstream: respx.MockRouter, answer: dict[str, Any]) -> None:
    route = upstream.get(url_of("state-hub"))
    route.respond(content=index())
    machine.compose(source(required=True))
    machine.hands.advance(4000)
    route.respond(**answer)

    report = machine.compose(source(required=True))

    assert (states(report), report["complete"], report["capabilities"]) == (["stale"], True, 1)
    assert report["sources"][0]["detail"]


def test_offline_asks_nobody_and_says_how_old_each_part_is(machine: Machine, upstream: respx.MockRouter) -> None:
    route = upstream.get(url_of("state-hub"))
    route.respond(content=index())
    machine.compose(source())
    checked = machine.hands.clock().stamp()
    machine.hands.advance(4000)

    report = machine.compose(source(), source("never-seen"), offline=True)

    assert route.call_count == 1
    assert states(report) == ["stale", "failed"]
    assert report["sources"][0]["checked_at"] == checked
    assert "without --offline" in report["sources"][1]["detail"]


def test_a_required_source_without_anything_makes_it_incomplete(machine: Machine, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(404)

    report = machine.compose(source(required=True))

    assert (report["complete"], report["missing_required"]) == (False, ["state-hub"])


@pytest.mark.parametrize("content", [None, b"version: 7", b" " * (5 * 2**20 + 1)], ids=["missing", "bad", "too large"])
def test_a_local_index_that_can_not_be_read_is_told(machine: Machine, content: bytes | None) -> None:
    if content is not None:
        (machine.folder / "local.yaml").write_bytes(content)

    report = machine.compose({"repo": "a", "index": "local.yaml", "domain": "d"})

    assert states(report) == ["failed"]
    assert report["sources"][0]["detail"]


def test_a_source_may_be_a_federated_index_and_merges_with_others(machine: Machine, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("a")).respond(content=index(capability(1)))
    upstream.get(url_of("b")).respond(content=index(capability(2)))
    inner = machine.compose(source("a"), source("b"), form="json")["document"]
    upstream.get(url_of("hub")).respond(content=json.dumps(inner).encode())
    upstream.get(url_of("b")).respond(content=index(capability(3)))
    machine.hands.advance(4000)

    report = machine.compose(source("hub", format="hub"), source("b"))

    said = [(one["id"][-2:], one["source_repo"]) for one in report["document"]["capabilities"]]
    assert said == [("n1", "a"), ("n3", "b")], "what the manifest names itself goes first"


def speaking_for(repo: str, **row: Any) -> bytes:
    """Return a federated index that has one entry, of *repo*."""
    entry = {"id": "pay.safe", "name": "Not the real thing", "url": "https://evil.example/", "source_repo": repo}
    facts = {"repo": repo, "url": url_of(repo), "domain": "x", "required": False, "state": "fresh"}
    facts |= {"digest": f"sha256:{0:064}", "capability_count": 1, "changed_at": "2026-01-01T00:00:00Z"}
    head = {"version": 1, "serial": 1, "generated_at": "2026-01-01T00:00:00Z", "complete": True, "missing_required": []}
    return json.dumps(head | {"sources": [facts | row], "capabilities": [entry], "conflicts": []}).encode()


def said_by(report: dict[str, Any], repo: str) -> list[str]:
    return [one["name"] for one in report["document"]["capabilities"] if one["source_repo"] == repo]


@pytest.mark.parametrize("last", [True, False], ids=["after it", "before it"])
@pytest.mark.parametrize("published", [{}, {"format": "index"}, {"format": "hub"}], ids=["unsaid", "index", "hub"])
def test_no_source_speaks_for_another_that_the_manifest_names(
    machine: Machine, published: dict[str, str], *, last: bool
) -> None:
    (machine.folder / "victim.yaml").write_bytes(index(capability(1, id="pay.safe", name="The real thing")))
    (machine.folder / "evil.json").write_bytes(speaking_for("victim"))
    sources = [{"repo": "victim", "index": "victim.yaml", "domain": "x"}]
    sources.insert(len(sources) if last else 0, {"repo": "evil", "index": "evil.json", "domain": "x"} | published)

    report = machine.compose(*sources)

    assert said_by(report, "victim") == ["The real thing"]
    assert ("failed" in states(report)) == (published != {"format": "hub"})


@pytest.mark.parametrize("victim", [{"required": True}, {"enabled": False}], ids=["nothing to give", "disabled"])
def test_what_a_named_source_does_not_give_comes_from_nobody_else(machine: Machine, victim: dict[str, Any]) -> None:
    (machine.folder / "evil.json").write_bytes(speaking_for("victim"))
    evil = {"repo": "evil", "index": "evil.json", "domain": "x", "format": "hub"}

    report = machine.compose({"repo": "victim", "index": "nothing.yaml", "domain": "x"} | victim, evil)

    assert said_by(report, "victim") == []
    assert report["missing_required"] == (["victim"] if "required" in victim else [])


def test_no_federated_index_speaks_for_another_and_of_two_the_first_counts(machine: Machine) -> None:
    for name, repo in (("first", "inner"), ("second", "inner"), ("third", "first")):
        (machine.folder / f"{name}.json").write_bytes(speaking_for(repo, url=f"https://{name}.example/"))
    hubs = [{"repo": n, "index": f"{n}.json", "domain": "x", "format": "hub"} for n in ("first", "second", "third")]

    report = machine.compose(*hubs)

    assert [row["url"] for row in report["document"]["sources"]] == ["https://first.example/"]


@pytest.mark.parametrize("offline", [False, True])
def test_what_was_kept_under_another_format_is_not_used(
    machine: Machine, upstream: respx.MockRouter, *, offline: bool
) -> None:
    upstream.get(url_of("hub")).respond(content=speaking_for("inner"))
    assert said_by(machine.compose(source("hub", format="hub")), "inner")

    report = machine.compose(source("hub"), offline=offline)

    assert (states(report), report["capabilities"]) == (["failed"], 0)


@pytest.mark.parametrize("text", [None, "{", "version: 7"], ids=["missing", "torn", "bad"])
def test_what_is_no_manifest_stops_it(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "sources.yaml").write_text(text)

    with pytest.raises(StartError, match=r"is not a federation manifest|be read"):
        compose_offline(str(tmp_path / "sources.yaml"), str(tmp_path), offline=True, form="yaml")
