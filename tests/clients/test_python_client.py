from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.conftest import published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Generated, Place

# One worker makes the client and has the hub for all of these.
pytestmark = [pytest.mark.xdist_group("generated-clients"), pytest.mark.usefixtures("real_network")]

REPO = "from-python"
PUBLISHED = published("python")


@pytest.fixture(scope="session", autouse=True)
def registered(python_client: Generated, place: Place) -> Any:
    """The answer to registering a repository, whose index is read and searched when the tests begin."""
    wanted = python_client.model("NewRegistration")(repo=REPO, url=f"{place.index}/python", domain="weather")
    answer = python_client.call("repos.register", body=wanted)
    python_client.call("repos.refresh", repo=REPO)
    end = time.monotonic() + 30
    while python_client.call("capabilities.search", repo=REPO).parsed.total == 0:
        assert time.monotonic() < end
    return answer


def test_the_generator_makes_every_operation(python_client: Generated, contract: Path) -> None:
    document = json.loads(contract.read_text(encoding="utf-8"))
    operations = {
        operation["operationId"].replace(".", "_")
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    }

    made = {file.stem for file in (python_client.folder / "hub_client/api").rglob("*.py")} - {"__init__"}
    assert made == operations
    assert "will not be generated" not in python_client.said


def test_the_generator_warns_of_nothing_but_bodies_that_are_not_json(python_client: Generated) -> None:
    warnings = [line for line in python_client.said.splitlines() if "WARNING" in line or "Unable to process" in line]
    unsupported = [line for line in python_client.said.splitlines() if line.startswith("Unsupported content type")]

    assert {line.removeprefix("WARNING parsing ") for line in warnings} <= {"POST /v1/validate within hub."}
    assert {line.rpartition(" ")[2] for line in unsupported} == {
        "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain",
    }  # fmt: skip


def test_registers(registered: Any) -> None:
    made = registered.parsed

    assert (registered.status_code, type(made).__name__) == (201, "Registration")
    assert (made.repo, made.domain, made.cache_ttl_seconds, made.revision) == (REPO, "weather", 3600, 1)
    assert made.registered_at.tzinfo is not None


def test_reads_registrations_with_their_sources(python_client: Generated) -> None:
    [row] = python_client.call("repos.browse", domain="weather").parsed.repos
    one = python_client.call("repos.show", repo=REPO).parsed

    assert (row.repo, row.source.state.value, row.source.capability_count) == (REPO, "fresh", 1)
    assert one.source.error is None
    assert one.to_dict() == row.to_dict()


def test_reads_capabilities_with_all_their_fields(python_client: Generated) -> None:
    [served] = python_client.call("capabilities.search", repo=REPO).parsed.capabilities

    assert type(served).__name__ == "Capability"
    assert (served.id, served.name, served.source_repo) == (PUBLISHED["id"], PUBLISHED["name"], REPO)
    assert (served.vector, served.tags, served.owner) == ("D5 / A4 / C3 / R2", ["weather"], "sky")
    assert served["seats"] == 3
    assert served.to_dict() == {**PUBLISHED, "source_repo": REPO}


def test_reads_capabilities_with_some_fields_by_the_same_class(python_client: Generated) -> None:
    [served] = python_client.call("capabilities.search", repo=REPO, fields="owner").parsed.capabilities

    assert {name: PUBLISHED[name] for name in ("id", "name", "owner")} | {"source_repo": REPO} == served.to_dict()


def test_reads_one_capability(python_client: Generated) -> None:
    shown = python_client.call("capabilities.show", repo=REPO, id=PUBLISHED["id"]).parsed

    assert (type(shown).__name__, shown.vector) == ("CapabilityShown", "D5 / A4 / C3 / R2")
    assert isinstance(shown.served, bool)


def test_reads_the_federated_index_and_its_changes(python_client: Generated) -> None:
    whole = python_client.call("federated.show").parsed
    changes = python_client.call("federated.changes", since=0).parsed

    assert (type(whole).__name__, type(changes).__name__) == ("FederatedIndex", "Changes")
    assert REPO in [source.repo for source in whole.sources]
    assert changes.head.serial == whole.serial
    assert changes.capabilities.upserted == whole.capabilities


def test_reads_a_verdict(python_client: Generated) -> None:
    body = python_client.model("SourcesValidateJsonBody").from_dict({"version": 1, "capabilities": [{"id": "a"}]})
    verdict = python_client.call("sources.validate", body=body).parsed

    assert (verdict.valid, [fault.pointer for fault in verdict.errors]) == (False, ["/capabilities/0/name"])


def test_reads_findings(python_client: Generated) -> None:
    page = python_client.call("hub.findings", limit=5).parsed

    assert (type(page).__name__, page.total) == ("PageOfFindings", len(page.findings))


def test_reads_the_manifest(python_client: Generated) -> None:
    manifest = python_client.call("sources.manifest").parsed

    assert REPO in [source.repo for source in manifest.sources]


@pytest.mark.parametrize(
    ("operation", "arguments", "status", "slug"),
    [
        ("repos.show", {"repo": "nobody"}, 404, "repo-not-found"),
        ("capabilities.show", {"repo": REPO, "id": "nothing"}, 404, "capability-not-found"),
        ("capabilities.search", {"limit": 0}, 400, "bad-query"),
        ("federated.changes", {"since": 999}, 410, "serial-gone"),
        ("repos.accept", {"repo": REPO}, 409, "nothing-held"),
        ("repos.refresh", {"repo": REPO, "token": "not-a-token-of-this-hub"}, 401, "unauthorized"),
    ],
)
def test_a_failure_is_a_problem_that_says_what_it_is(
    python_client: Generated, operation: str, arguments: dict[str, Any], status: int, slug: str
) -> None:
    answer = python_client.call(operation, **arguments)

    assert (answer.status_code, type(answer.parsed).__name__) == (status, "Problem")
    assert (answer.parsed.status, answer.parsed.type_.rpartition("/")[2]) == (status, slug)


def test_a_failure_lists_its_offences(python_client: Generated, place: Place) -> None:
    wanted = python_client.model("NewRegistration")(repo="Not A Slug", url=place.index, domain="d")
    answer = python_client.call("repos.register", body=wanted)

    assert (answer.status_code, answer.parsed.errors[0].pointer) == (422, "/repo")
