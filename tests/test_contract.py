"""What is written about the hub, held against what the hub is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from router import ENDPOINTS, operations
from shared import schemas
from shared.contract import document
from shared.findings import KINDS
from shared.problems import PROBLEMS
from shared.settings import PREFIX, Settings
from shared.version import VERSION
from tests.builders import WRITER, capability, index, problem, refresh, register, registration, searchable, url_of
from tests.functions.pages.reading import FOR_PEOPLE

if TYPE_CHECKING:
    import respx

ROOT = Path(__file__).resolve().parent.parent
SPEC = (ROOT / "specs" / "FederationHubAPI.md").read_text(encoding="utf-8")
INDEXES = [ROOT / "registry/indexes/capabilities.yaml", *sorted(ROOT.glob("examples/*/registry/indexes/*.yaml"))]
CONTRACT = document(operations(ENDPOINTS))
ROWS = {(method.lower(), path): handle for method, path, handle, _ in ENDPOINTS}


def section(title: str) -> str:
    """Return what the specification says under the heading *title*, numbered or not."""
    found = re.search(rf"^## (?:\d+\. )?{title}\n(.*?)(?=^## |\Z)", SPEC, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def table(text: str) -> list[list[str]]:
    """Return the cells of every row of the Markdown tables in *text*, without their heads."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    heads = {number - 1 for number, row in enumerate(rows) if set(row[0]) <= set("-: ")}
    return [row for number, row in enumerate(rows) if number not in heads and number - 1 not in heads]


@pytest.fixture
def openapi() -> dict[str, Any]:
    return CONTRACT


async def test_the_openapi_document_is_valid(client: httpx.AsyncClient) -> None:
    served = (await client.get("/openapi.json")).json()

    assert [str(error) for error in OpenAPIV31SpecValidator(served).iter_errors()] == []
    assert served["openapi"].startswith("3.1.")
    assert served["info"]["version"] == VERSION


def test_the_openapi_document_names_exactly_the_endpoints(openapi: dict[str, Any]) -> None:
    named = {
        (method, path): operation["operationId"]
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }

    assert named == {row: handle.__module__.removeprefix("functions.") for row, handle in ROWS.items()}


def test_the_openapi_document_asks_for_a_token_where_the_specification_does(openapi: dict[str, Any]) -> None:
    asked = {
        (method, path): "needed" if item[method].get("security") else ""
        for path, item in openapi["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    written = {}
    for endpoint, _, token in table(section("Endpoints").partition("\n### ")[0]):
        method, path = re.findall(r"`(\w+) (\S+)`", endpoint)[0]
        written[method.lower(), path] = token

    assert asked == written


def test_every_problem_that_an_endpoint_documents_exists(openapi: dict[str, Any]) -> None:
    text = yaml.safe_dump(openapi)

    assert set(re.findall(r"reuse\.coulomb\.social/problems/([a-z-]+)", text)) <= PROBLEMS.keys()
    assert set(openapi["components"]["schemas"]["SourceErrorType"]["enum"]) == {
        slug for slug, kind in PROBLEMS.items() if kind.status == 502
    }


def test_the_specification_lists_every_kind_of_finding(openapi: dict[str, Any]) -> None:
    listed = {row[0].strip("`"): row[1].partition(";")[0] for row in table(section("Endpoints")) if len(row) == 3}

    assert {kind: listed.get(kind) for kind in KINDS} == KINDS
    assert openapi["components"]["schemas"]["FindingKind"]["enum"] == [*KINDS]


def test_the_specification_lists_every_problem_with_its_status() -> None:
    listed = {slug.strip("`"): int(status) for slug, status, _ in table(section("Problems"))}

    assert listed == {slug: kind.status for slug, kind in PROBLEMS.items()}


def test_the_specification_lists_every_setting_with_its_default() -> None:
    defaults = {"": "(empty)", None: "(none)"}
    wanted = {
        f"`{PREFIX}{one.name.upper()}`": defaults.get(one.metadata["default"], f"`{one.metadata['default']}`")
        for one in fields(Settings)
    }
    listed = table(section("Settings"))

    wanted["`REUSE_SURFACE_PUBLIC_URL`"] = "(the address served)"
    assert {name: default for name, default, _ in listed} == wanted
    assert [meaning for *_, meaning in listed] == [one.metadata["meaning"] for one in fields(Settings)]


def test_the_specification_lists_every_field_of_a_registration() -> None:
    rows = table(section("The registration"))
    listed = [row[0].strip("`") for row in rows]
    schema = schemas.schema("hub-registration")

    assert listed == list(schema["properties"])
    defaults = {row[0].strip("`"): yaml.safe_load(row[2].strip("`")) for row in rows if len(row) == 4 and row[2]}
    properties = schema["$defs"]["wanted"]["properties"]
    assert defaults == {name: one["default"] for name, one in properties.items() if "default" in one}


def test_the_specification_lists_every_field_of_a_source_and_every_state(openapi: dict[str, Any]) -> None:
    text = section("The life of a source")
    names = {name for row in table(text) for name in re.findall("`([a-z_]+)`", row[0])}

    assert openapi["components"]["schemas"]["SourceState"]["properties"].keys() <= names
    assert set(openapi["components"]["schemas"]["SourceStateName"]["enum"]) <= names


def test_every_section_that_the_specification_points_to_exists() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in SPEC.splitlines()
        if line.startswith("#")
    }

    assert set(re.findall(r"\]\(#([^)]*)\)", SPEC)) <= headings


def test_every_json_in_the_specification_is_json_once_its_gaps_are_filled() -> None:
    blocks = re.findall(r"```json\n(.*?)```", SPEC, re.DOTALL)

    assert len(blocks) >= 3
    assert all(isinstance(yaml.safe_load(block), dict) for block in blocks)


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_names_the_two_commands(command: str) -> None:
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INDEXES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_indexes_in_this_repository_are_valid(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert schemas.checker("capability-index")(document) == []
    ids = [entry["id"] for entry in document["capabilities"]]
    assert len(ids) == len(set(ids)) > 0


def test_there_are_two_examples_and_they_disagree_about_one_capability() -> None:
    own, *examples = (yaml.safe_load(path.read_text(encoding="utf-8"))["capabilities"] for path in INDEXES)
    first, second = ({entry["id"] for entry in entries} for entries in examples)

    assert len(first & second) == 1
    assert not {entry["id"] for entry in own} & (first | second)


def test_every_entry_of_our_own_index_has_its_document_and_every_document_its_entry() -> None:
    entries = yaml.safe_load(INDEXES[0].read_text(encoding="utf-8"))["capabilities"]

    documents = {str(path.relative_to(ROOT)) for path in (ROOT / "registry/capabilities").glob("*.md")}
    assert {entry["path"] for entry in entries} == documents
    for entry in entries:
        text = (ROOT / entry["path"]).read_text(encoding="utf-8")
        assert entry["id"] in text
        assert entry["vector"] in text


def test_our_own_manifest_is_valid_and_names_us() -> None:
    manifest = yaml.safe_load((ROOT / "registry/federation/sources.yaml").read_text(encoding="utf-8"))

    assert schemas.checker("federation")(manifest) == []
    names = [source["repo"] for source in manifest["sources"]]
    assert len(names) == len(set(names))
    assert "reuse-surface" in names
    for source in manifest["sources"]:
        path = f"/coulomb/{source['repo']}/raw/main/registry/indexes/capabilities.yaml"
        assert source["url"] == f"https://gitea.coulomb.social{path}"


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with something of everything: contents, a conflict, a failure, a hold, and a history."""
    whole, shrunk = index(capability(1, tags=["a"]), capability(2)), index(capability(3))
    route = upstream.get(url_of("state-hub"))
    route.side_effect = [*[httpx.Response(200, content=whole)] * 2, *[httpx.Response(200, content=shrunk)] * 9]
    upstream.get(url_of("rival")).respond(content=index(capability(1, name="Mine")))
    upstream.get(url_of("bad")).respond(content=b"version: [")
    for repo in ("rival", "state-hub", "bad", "new"):
        await register(client, repo, required=repo == "bad")
        if repo != "new":
            await refresh(client, repo)
    await register(client, "off", enabled=False)
    await client.patch("/v1/repos/state-hub", json={"description": "d"}, headers=WRITER)
    await refresh(client)
    await refresh(client)
    return await searchable(client)


MANIFEST = (ROOT / "registry/federation/sources.yaml").read_bytes()
SAMPLES = [
    ("get", "/health", {}, 200),
    ("get", "/ready", {}, 200),
    ("get", "/metrics", {}, 200),
    ("get", "/v1/backup", {}, 200),
    ("get", "/v1/backup", {"headers": {"Authorization": ""}}, 401),
    ("get", "/v1/repos", {}, 200),
    ("get", "/v1/repos?limit=2", {}, 200),
    ("get", "/v1/repos?limit=0", {}, 400),
    ("get", "/v1/repos", {"headers": {"Accept": "text/csv"}}, 406),
    ("post", "/v1/repos", {"json": registration(repo="more", url=url_of("more"))}, 201),
    ("post", "/v1/repos", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ("post", "/v1/repos", {"json": {}, "headers": {"Authorization": ""}}, 401),
    ("post", "/v1/repos", {"json": registration()}, 409),
    ("post", "/v1/repos", {"json": "x" * 65536}, 413),
    ("post", "/v1/repos", {"content": b"x"}, 415),
    ("post", "/v1/repos", {"json": {"colour": 1}}, 422),
    ("get", "/v1/repos/state-hub", {}, 200),
    ("get", "/v1/repos/bad", {}, 200),
    ("get", "/v1/repos/new", {}, 200),
    ("get", "/v1/repos/off", {}, 200),
    ("get", "/v1/repos/nobody", {}, 404),
    ("put", "/v1/repos/more", {"json": registration(repo=None, url=url_of("more"))}, 201),
    ("put", "/v1/repos/state-hub", {"json": registration()}, 200),
    ("put", "/v1/repos/state-hub", {"json": registration(), "headers": {"If-Match": '"77"'}}, 412),
    ("patch", "/v1/repos/state-hub", {"json": {"required": True}}, 200),
    ("patch", "/v1/repos/state-hub", {"json": {"url": url_of("bad")}}, 409),
    ("delete", "/v1/repos/state-hub", {}, 204),
    ("delete", "/v1/repos/nobody", {}, 404),
    ("post", "/v1/repos/state-hub/refresh", {}, 200),
    ("post", "/v1/repos/bad/refresh", {}, 200),
    ("post", "/v1/repos/off/refresh", {}, 409),
    ("post", "/v1/repos/state-hub/accept", {}, 200),
    ("post", "/v1/repos/rival/accept", {}, 409),
    ("get", "/v1/repos/state-hub/history", {}, 200),
    ("get", "/v1/repos/nobody/history", {}, 404),
    ("get", "/v1/federated", {}, 200),
    ("get", "/v1/federated?format=yaml", {}, 200),
    ("get", "/v1/federated", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/v1/federated?strict=true", {}, 503),
    ("get", "/v1/federated", {"headers": {"Accept-Encoding": "identity;q=0"}}, 406),
    ("get", "/v1/federated/changes?since=0", {}, 200),
    ("get", "/v1/federated/changes?since=0&limit=1", {}, 200),
    ("get", "/v1/federated/changes?since=0", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/v1/federated/changes", {}, 400),
    ("get", "/v1/federated/changes?since=99", {}, 410),
    ("post", "/v1/federated/compose?force=true", {}, 200),
    ("get", "/v1/repos/state-hub/ai-catalog.json", {}, 200),
    ("get", "/v1/repos/state-hub/ai-catalog.json", {"headers": {"Accept": "application/json"}}, 200),
    ("get", "/v1/repos/new/ai-catalog.json", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/v1/repos/nobody/ai-catalog.json", {}, 404),
    ("get", "/.well-known/ard.json", {}, 200),
    ("get", "/.well-known/ard.json", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/.well-known/ai-catalog.json", {}, 200),
    ("post", "/ard/search", {"json": {"query": {"text": "an example"}, "pageSize": 1}}, 200),
    ("post", "/ard/search", {"json": {"query": {"text": "x"}, "federation": "referrals"}}, 200),
    ("post", "/ard/search", {"json": {}}, 400),
    ("post", "/ard/search", {"content": b"x"}, 415),
    ("post", "/ard/explore", {"json": {"resultType": {"facets": [{"field": "publisher"}, {"field": "tags"}]}}}, 200),
    ("post", "/ard/explore", {"json": {"resultType": {"facets": [{"field": "colour"}]}}}, 400),
    ("get", "/ard/agents?pageSize=1", {}, 200),
    ("get", "/ard/agents?orderBy=displayName", {}, 400),
    ("get", "/ard/agents/urn:air:reuse-surface.invalid:capability:rival:capability.example.n1", {}, 200),
    ("get", "/ard/agents/urn:air:reuse-surface.invalid:capability:state-hub:capability.example.n1", {}, 404),
    ("get", "/ard/agents/nonsense", {}, 400),
    ("get", "/ard/catalogs/helix_forge", {}, 200),
    ("get", "/ard/catalogs/nothing", {}, 404),
    ("get", "/llms.txt", {}, 200),
    ("get", "/robots.txt", {}, 200),
    ("get", "/v1/capabilities", {}, 200),
    ("get", "/v1/capabilities?q=example&facets=true&limit=1&fields=id,tags", {}, 200),
    ("get", "/v1/capabilities?q=example", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/v1/capabilities?min_availability=D4", {}, 400),
    ("get", "/v1/capabilities/rival/capability.example.n1", {}, 200),
    ("get", "/v1/capabilities/rival/capability.example.n1", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/v1/capabilities/rival/nothing", {}, 404),
    ("get", "/v1/domains", {}, 200),
    ("get", "/v1/domains?limit=1", {}, 200),
    ("get", "/v1/domains", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/v1/domains?domain=x", {}, 400),
    ("get", "/v1/repos/state-hub/badge.svg", {}, 200),
    ("get", "/", {}, 200),
    ("get", "/", {"headers": FOR_PEOPLE}, 200),
    ("get", "/capabilities?q=example", {}, 200),
    ("get", "/capabilities?cursor=x", {}, 400),
    ("get", "/sources", {}, 200),
    ("get", "/sources?sort=age", {"headers": FOR_PEOPLE}, 400),
    ("get", "/sources/state-hub", {}, 200),
    ("get", "/sources/nobody", {}, 404),
    ("get", "/sources/nobody", {"headers": FOR_PEOPLE}, 404),
    ("get", "/findings?severity=error", {}, 200),
    ("get", "/findings?kind=odd", {}, 400),
    ("get", "/register?repo=a", {}, 200),
    ("get", "/register?required=yes", {}, 400),
    ("get", "/assets/hub.css", {}, 200),
    ("get", "/assets/hub.js", {"headers": {"If-None-Match": "*"}}, 304),
    ("post", "/v1/repos?dry_run=true", {"json": registration(repo="more", url=url_of("bad"))}, 200),
    ("post", "/v1/repos?dry_run=true", {"json": registration(repo="more", url=url_of("rival"))}, 200),
    ("post", "/v1/validate", {"content": index(), "headers": {"Content-Type": "application/json"}}, 200),
    ("post", "/v1/validate", {"content": b"version: 2", "headers": {"Content-Type": "application/yaml"}}, 200),
    ("post", "/v1/validate?kind=manifest", {"content": MANIFEST, "headers": {"Content-Type": "text/yaml"}}, 200),
    ("post", "/v1/validate?kind=manifest", {"content": b"[]", "headers": {"Content-Type": "text/yaml"}}, 200),
    ("post", "/v1/validate", {"content": b"x", "headers": {"Content-Type": "image/png"}}, 415),
    ("get", "/v1/findings", {}, 200),
    ("get", "/v1/findings?limit=1", {}, 200),
    ("get", "/v1/findings?kind=nothing", {}, 400),
    ("get", "/v1/sources", {}, 200),
    ("get", "/v1/sources?format=yaml", {}, 200),
    ("get", "/v1/sources", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/cli.py", {}, 200),
    ("get", "/cli.py", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/cli.py.sha256", {}, 200),
    ("get", "/cli.py.sha256", {"headers": {"If-None-Match": "*"}}, 304),
    ("get", "/openapi.json", {}, 200),
    ("get", "/schemas/problem", {}, 200),
    ("get", "/schemas/nothing", {}, 404),
    ("get", "/problems/not-found", {"headers": {"Accept": "application/json"}}, 200),
    ("get", "/problems/nothing", {}, 404),
]


def operation_of(method: str, target: str) -> str:
    """Return the path of ENDPOINTS that *target* belongs to."""
    path = target.partition("?")[0]
    candidates = [one for verb, one in ROWS if verb == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", one), path)]
    return candidates[0]


def resolved(openapi: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        steps = node["$ref"].removeprefix("#/").split("/")
        node = openapi
        for step in steps:
            node = node[step]
    return node


@pytest.mark.parametrize(
    ("method", "target", "sent", "status"),
    [pytest.param(*sample, id=f"{sample[0]} {sample[1]} {sample[3]}") for sample in SAMPLES],
)
async def test_what_is_answered_is_what_is_documented(
    full: httpx.AsyncClient, method: str, target: str, sent: dict[str, Any], status: int
) -> None:
    openapi = CONTRACT
    answer = await full.request(method, target, **{**sent, "headers": {**WRITER, **sent.get("headers", {})}})

    assert answer.status_code == status, answer.text
    documented = resolved(openapi, openapi["paths"][operation_of(method, target)][method]["responses"][str(status)])
    for name, header in documented.get("headers", {}).items():
        assert name in answer.headers or not resolved(openapi, header).get("required"), name
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    assert bool(media_type) == bool(documented.get("content")), media_type
    if media_type:
        whole = {**documented["content"][media_type]["schema"], "components": openapi["components"]}
        checker = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
        said = yaml.safe_load(answer.text) if media_type.endswith(("json", "yaml")) else answer.text
        faults = [f"{fault.json_path}: {fault.message}" for fault in checker.iter_errors(said)]
        assert faults == []


def test_every_endpoint_has_a_sample() -> None:
    assert {(method, operation_of(method, target)) for method, target, *_ in SAMPLES} == ROWS.keys()


def test_every_example_of_the_openapi_document_is_one(openapi: dict[str, Any]) -> None:
    faults = []
    for place, content in contents(openapi, ""):
        whole = {**content["schema"], "components": openapi["components"]}
        values = [content["example"]] if "example" in content else []
        values += [one["value"] for one in content.get("examples", {}).values()]
        for value in values:
            faults += [f"{place}: {fault.message}" for fault in Draft202012Validator(whole).iter_errors(value)]

    assert faults == []


def contents(node: Any, place: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every media type object below *node* with its place."""
    if isinstance(node, list):
        return [one for number, child in enumerate(node) for one in contents(child, f"{place}/{number}")]
    if not isinstance(node, dict):
        return []
    own = [(place, node)] if isinstance(node.get("schema"), dict) and ("example" in node or "examples" in node) else []
    return own + [one for name, child in node.items() for one in contents(child, f"{place}/{name}")]


async def test_a_problem_is_what_its_schema_says(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/repos", json={"url": 1}, headers=WRITER)

    body = problem(answer, "invalid-registration", "/domain", "/repo", "/url")
    assert schemas.checker("problem")(body) == []


def test_what_the_registration_schema_asks_is_what_a_source_of_a_manifest_asks() -> None:
    wanted = schemas.schema("hub-registration")["$defs"]["wanted"]["properties"]
    source = schemas.schema("federation")["$defs"]["source"]["properties"]

    def rules(one: dict[str, Any]) -> dict[str, Any]:
        return {name: rule for name, rule in one.items() if name != "description"}

    assert {name: rules(one) for name, one in wanted.items()} == {
        name: rules(one) for name, one in source.items() if name not in {"index", "format"}  # without a hub only
    }
