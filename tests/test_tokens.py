"""Who may do what: every endpoint that writes, asked with tokens of different grants."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from router import ENDPOINTS
from tests.builders import TOKEN, index, problem, registration, served, url_of, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    import respx

    from shared.settings import Settings

OWNER, COVERS, OTHER = "a-token-that-registers", "a-token-that-covers-it", "a-token-of-other-repos"
ELSEWHERE, ADMIN = "a-token-of-another-domain", "a-token-of-an-admin"
REPO = "/v1/repos/state-hub"
OF_THE_REPO: dict[tuple[str, str], Any] = {
    ("PUT", REPO): registration(required=True),
    ("PATCH", REPO): {"required": True},
    ("DELETE", REPO): None,
    ("POST", f"{REPO}/refresh"): None,
    ("POST", f"{REPO}/accept"): None,
}
OF_ANY_TOKEN = {("POST", "/v1/federated/compose"), ("POST", "/v1/repos")}


def entry(name: str, token: str, more: str) -> str:
    """Return a line of the tokens file."""
    return f"- {{name: {name}, sha256: {hashlib.sha256(token.encode()).hexdigest()}, {more}}}\n"


def write(file: Path, text: str) -> None:
    """Change the tokens file."""
    file.write_text(text)


def by(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The tokens file."""
    path = tmp_path / "tokens.yaml"
    path.write_text(
        "tokens:\n"
        + entry("owner", OWNER, "repos: [state-hub]")
        + entry("covers", COVERS, "repos: ['state-*']")
        + entry("other", OTHER, "repos: [other]")
        + entry("elsewhere", ELSEWHERE, "repos: ['*'], domains: [railiance]")
        + entry("admin", ADMIN, "admin: true")
    )
    return path


@pytest.fixture
async def client(settings: Settings, file: Path, upstream: respx.MockRouter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hub with all these tokens, and a repo that one of them registered; what it publishes is held."""
    route = upstream.get(url_of("state-hub")).respond(content=index())
    async with served(replace(settings, tokens_file=file)) as session:
        made = await session.post("/v1/repos", json=registration(), headers=by(OWNER))
        assert (made.status_code, made.json()["registered_by"]) == (201, "owner")
        await session.post(f"{REPO}/refresh", headers=by(OWNER))
        route.respond(content=b'{"version": 1, "capabilities": []}')
        await session.post(f"{REPO}/refresh", headers=by(OWNER))
        yield session


async def ask(client: httpx.AsyncClient, row: tuple[str, str], token: str) -> httpx.Response:
    """Send the request of *row* with a token."""
    method, path = row
    return await client.request(method, path, json=OF_THE_REPO[row], headers=by(token))


def forbidden(answer: httpx.Response) -> dict[str, Any]:
    """Check that a token was known and did not suffice."""
    challenge = 'Bearer realm="reuse-surface", error="insufficient_scope"'
    assert answer.headers["www-authenticate"] == challenge
    return problem(answer, "forbidden")


def test_this_looks_at_every_endpoint_that_needs_a_token() -> None:
    public = {("POST", "/v1/validate")}
    writes = {(method, path.replace("{repo}", "state-hub")) for method, path, *_ in ENDPOINTS if method != "GET"}

    assert {row for row in writes - public if not row[1].startswith("/ard/")} == {*OF_THE_REPO, *OF_ANY_TOKEN}


every_write = pytest.mark.parametrize("row", OF_THE_REPO, ids=" ".join)


@every_write
@pytest.mark.parametrize("token", [OWNER, COVERS, ADMIN, TOKEN])
async def test_a_repo_is_written_by_those_to_whom_it_belongs(
    client: httpx.AsyncClient, row: tuple[str, str], token: str
) -> None:
    assert (await ask(client, row, token)).is_success


@every_write
@pytest.mark.parametrize("token", [OTHER, ELSEWHERE])
async def test_a_repo_is_written_by_nobody_else(
    client: httpx.AsyncClient, row: tuple[str, str], token: str, upstream: respx.MockRouter
) -> None:
    before, asked = await world(client), len(upstream.calls)

    forbidden(await ask(client, row, token))

    assert await world(client) == before
    assert len(upstream.calls) == asked


@pytest.mark.parametrize(
    ("token", "body"),
    [
        pytest.param(OTHER, registration(repo="mine", url=url_of("mine")), id="a name that is not covered"),
        pytest.param(ELSEWHERE, registration(repo="mine", url=url_of("mine")), id="another domain"),
        pytest.param(OTHER, registration(), id="a name that another has"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_only_what_a_token_covers_can_be_registered(
    client: httpx.AsyncClient, token: str, body: dict[str, Any], method: str
) -> None:
    before = await world(client)
    path = "/v1/repos" if method == "POST" else f"/v1/repos/{body['repo']}"

    forbidden(await client.request(method, path, json=body, headers=by(token)))

    assert await world(client) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_repo_can_not_be_moved_to_a_domain_that_the_token_does_not_cover(
    client: httpx.AsyncClient, method: str
) -> None:
    body = registration(repo="mine", url=url_of("mine"), domain="railiance")
    await client.post("/v1/repos", json=body, headers=by(ELSEWHERE))

    moved = {**body, "domain": "helix_forge"}
    forbidden(await client.request(method, "/v1/repos/mine", json=moved, headers=by(ELSEWHERE)))

    assert (await client.get("/v1/repos/mine")).json()["domain"] == "railiance"


@pytest.mark.parametrize("token", [OWNER, OTHER, ELSEWHERE, ADMIN, TOKEN])
async def test_every_token_may_ask_for_a_composition(client: httpx.AsyncClient, token: str) -> None:
    assert (await client.post("/v1/federated/compose", headers=by(token))).status_code == 200


async def test_only_an_admin_may_force_one(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    path, asked = "/v1/federated/compose?force=true", len(upstream.calls)
    forbidden(await client.post(path, headers=by(COVERS)))
    assert len(upstream.calls) == asked

    for token in (ADMIN, TOKEN):
        assert (await client.post(path, headers=by(token))).status_code == 200


async def test_a_token_that_is_taken_away_is_unknown_at_once(client: httpx.AsyncClient, file: Path) -> None:
    write(file, "tokens: []")

    answer = await client.patch(REPO, json={"required": True}, headers=by(OWNER))

    problem(answer, "unauthorized")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_file_that_is_spoilt_takes_no_token_away(client: httpx.AsyncClient, file: Path) -> None:
    write(file, "tokens: [spoilt")

    assert (await client.patch(REPO, json={"required": True}, headers=by(OWNER))).status_code == 200


async def test_the_history_tells_who_it_was(client: httpx.AsyncClient) -> None:
    await client.patch(REPO, json={"required": True}, headers=by(COVERS))
    await client.delete(REPO, headers=by(ADMIN))

    lines = (await client.get(f"{REPO}/history")).json()["history"]

    assert [(line["by"], line["action"]) for line in lines] == [
        ("admin", "deregister"), ("covers", "update"), ("owner", "register"),
    ]  # fmt: skip


async def test_no_token_is_ever_told(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for token in (OWNER, OTHER, TOKEN, "a-token-that-nobody-knows"):
        for row in OF_THE_REPO:
            answer = await ask(client, row, token)
            said += [answer.text, str(answer.headers)]
        said += [(await client.get(path)).text for path in ("/v1/repos", f"{REPO}/history", f"{REPO}?token={token}")]
    # The tests' own client logs what it asks for.
    logged = [record for record in caplog.records if record.name != "httpx"]
    told = "".join([*said, *(f"{record.getMessage()} {record.exc_text}" for record in logged)])

    for token in (OWNER, OTHER, TOKEN, "a-token-that-nobody-knows"):
        assert token not in told
        assert hashlib.sha256(token.encode()).hexdigest() not in told


async def test_guessing_is_slowed_down_and_hinders_nobody_else(client: httpx.AsyncClient) -> None:
    for _ in range(20):
        problem(await client.delete(REPO, headers=by("guess")), "unauthorized")

    answer = await client.delete(REPO, headers=by("guess"))
    problem(answer, "too-many-requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert (await client.patch(REPO, json={"required": True}, headers=by(OWNER))).status_code == 200


async def test_fetches_are_limited_for_each_token(settings: Settings, file: Path, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    async with served(replace(settings, tokens_file=file, refreshes_per_minute=3)) as client:
        await client.post("/v1/repos", json=registration(), headers=by(OWNER))
        answers = [await client.post(f"{REPO}/refresh", headers=by(OWNER)) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        problem(await client.post("/v1/federated/compose", headers=by(OWNER)), "too-many-requests")
        assert (await client.post(f"{REPO}/refresh", headers=by(COVERS))).status_code == 200


async def test_composing_counts_among_the_fetches_of_a_token(settings: Settings, file: Path) -> None:
    async with served(replace(settings, tokens_file=file, refreshes_per_minute=2)) as client:
        answers = [await client.post("/v1/federated/compose", headers=by(OWNER)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_registrations_are_limited_for_each_token_and_in_all(settings: Settings, file: Path) -> None:
    bounded = replace(settings, tokens_file=file, max_registrations=4, max_registrations_per_token=2)

    async with served(bounded) as client:

        async def register(repo: str, token: str, query: str = "") -> httpx.Response:
            body = registration(repo=repo, url=url_of(repo))
            return await client.post(f"/v1/repos{query}", json=body, headers=by(token))

        for repo in ("state-a", "state-b"):
            assert (await register(repo, COVERS)).status_code == 201
        told = problem(await register("state-c", COVERS), "registrations-full")
        assert told["detail"].startswith("The token covers has registered 2 repos that are still registered")
        problem(
            await client.put("/v1/repos/state-c", json=registration(repo="state-c"), headers=by(COVERS)),
            "registrations-full",
        )
        problem(await client.get("/v1/repos/state-c/history"), "repo-not-found")
        # What it has it may change; others and admins go on until the hub has as many as it takes.
        changed = await client.patch("/v1/repos/state-a", json={"required": True}, headers=by(COVERS))
        assert changed.status_code == 200
        for repo in ("one", "two"):
            assert (await register(repo, ADMIN)).status_code == 201
        told = problem(await register("three", ADMIN), "registrations-full")
        assert told["detail"] == "This hub takes 4 registrations, and has as many."
        assert (await client.delete("/v1/repos/one", headers=by(ADMIN))).status_code == 204
        assert (await register("three", ADMIN)).status_code == 201


async def test_a_dry_run_tells_that_there_is_no_room(
    settings: Settings, file: Path, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    async with served(replace(settings, tokens_file=file, max_registrations=1)) as client:
        await client.post("/v1/repos", json=registration(repo="a", url=url_of("a")), headers=by(ADMIN))

        answer = await client.post("/v1/repos?dry_run=true", json=registration(), headers=by(ADMIN))

    assert (answer.status_code, answer.json()["refusal"]["type"]) == (200, "registrations-full")


async def test_writes_are_limited_for_each_token_and_not_for_admins(settings: Settings, file: Path) -> None:
    async with served(replace(settings, tokens_file=file, writes_per_minute=4)) as client:
        asked = [
            await client.post("/v1/repos", json=registration(), headers=by(OWNER)),
            await client.patch(REPO, json={"required": True}, headers=by(OWNER)),
            await client.put(REPO, json=registration(), headers=by(OWNER)),
            await client.post(f"{REPO}/accept", headers=by(OWNER)),
            await client.delete(REPO, headers=by(OWNER)),
        ]

        assert [answer.status_code for answer in asked] == [201, 200, 200, 409, 429]
        problem(asked[-1], "too-many-requests")
        assert 1 <= int(asked[-1].headers["retry-after"]) <= 60
        assert (await client.get(REPO)).status_code == 200
        others = [await client.patch(REPO, json={"required": bool(n % 2)}, headers=by(ADMIN)) for n in range(6)]
        assert {answer.status_code for answer in others} == {200}
        assert (await client.delete(REPO, headers=by(COVERS))).status_code == 204
