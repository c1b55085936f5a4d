"""The table of all endpoints, and the application that serves it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from functions.capabilities import search as search_capabilities
from functions.capabilities import show as show_capability
from functions.discovery import (
    ai_catalog,
    ard_agent,
    ard_agents,
    ard_explore,
    ard_manifest,
    ard_search,
    domain_catalog,
    llms,
    repo_catalog,
    robots,
)
from functions.domains import browse as browse_domains
from functions.federated import changes as changes_federated
from functions.federated import compose as compose_federated
from functions.federated import show as show_federated
from functions.hub import backup, client, client_digest, findings, health, metrics, openapi, problem, ready, schema
from functions.pages import asset, capabilities, overview, source, sources
from functions.pages import findings as findings_page
from functions.pages import register as register_page
from functions.repos import accept, badge, browse, deregister, history, refresh, register, replace, show, update
from functions.sources import manifest, validate
from shared.contract import Operation
from shared.hub import Hub, open_hub
from shared.pages import PAGE
from shared.settings import Settings
from shared.web.application import Application
from shared.web.dialect import ARD, PROBLEM
from shared.web.edge import refuse_own
from shared.web.resource import resources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.applications import Starlette

    from shared.web.resource import Row

ENDPOINTS: list[Row] = [
    ("GET", "/v1/federated", show_federated.Show, PROBLEM),
    ("GET", "/v1/federated/changes", changes_federated.handle, PROBLEM),
    ("POST", "/v1/federated/compose", compose_federated.handle, PROBLEM),
    ("GET", "/v1/capabilities", search_capabilities.handle, PROBLEM),
    ("GET", "/v1/capabilities/{repo}/{id}", show_capability.handle, PROBLEM),
    ("GET", "/v1/domains", browse_domains.handle, PROBLEM),
    ("GET", "/v1/repos/{repo}/ai-catalog.json", repo_catalog.handle, PROBLEM),
    ("GET", "/.well-known/ard.json", ard_manifest.handle, PAGE),
    ("GET", "/.well-known/ai-catalog.json", ai_catalog.handle, PAGE),
    ("POST", "/ard/search", ard_search.handle, ARD),
    ("POST", "/ard/explore", ard_explore.handle, ARD),
    ("GET", "/ard/agents", ard_agents.handle, ARD),
    ("GET", "/ard/agents/{identifier}", ard_agent.handle, ARD),
    ("GET", "/ard/catalogs/{domain}", domain_catalog.handle, ARD),
    ("GET", "/llms.txt", llms.handle, PAGE),
    ("GET", "/robots.txt", robots.handle, PAGE),
    ("GET", "/v1/repos", browse.handle, PROBLEM),
    ("POST", "/v1/repos", register.handle, PROBLEM),
    ("GET", "/v1/repos/{repo}", show.handle, PROBLEM),
    ("PUT", "/v1/repos/{repo}", replace.handle, PROBLEM),
    ("PATCH", "/v1/repos/{repo}", update.handle, PROBLEM),
    ("DELETE", "/v1/repos/{repo}", deregister.handle, PROBLEM),
    ("POST", "/v1/repos/{repo}/refresh", refresh.handle, PROBLEM),
    ("POST", "/v1/repos/{repo}/accept", accept.handle, PROBLEM),
    ("GET", "/v1/repos/{repo}/history", history.handle, PROBLEM),
    ("GET", "/v1/repos/{repo}/badge.svg", badge.handle, PROBLEM),
    ("GET", "/", overview.handle, PAGE),
    ("GET", "/capabilities", capabilities.handle, PAGE),
    ("GET", "/sources", sources.handle, PAGE),
    ("GET", "/sources/{repo}", source.handle, PAGE),
    ("GET", "/findings", findings_page.handle, PAGE),
    ("GET", "/register", register_page.handle, PAGE),
    ("GET", "/assets/{file}", asset.handle, PAGE),
    ("POST", "/v1/validate", validate.handle, PROBLEM),
    ("GET", "/v1/findings", findings.handle, PROBLEM),
    ("GET", "/v1/backup", backup.handle, PROBLEM),
    ("GET", "/v1/sources", manifest.handle, PROBLEM),
    ("GET", "/cli.py", client.handle, PAGE),
    ("GET", "/cli.py.sha256", client_digest.handle, PAGE),
    ("GET", "/health", health.handle, PAGE),
    ("GET", "/ready", ready.handle, PAGE),
    ("GET", "/metrics", metrics.handle, PAGE),
    ("GET", "/openapi.json", openapi.handle, PAGE),
    ("GET", "/schemas/{name}", schema.handle, PROBLEM),
    ("GET", "/problems/{slug}", problem.handle, PAGE),
]


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the application on the hub that *settings*, or the environment, describe; raise StartError.

    The hub is open from here on; the application's lifespan runs its background tasks and closes it.
    """
    settings = settings or Settings.from_environment()
    refuse_own(settings.public_path, (path for _, path, *_ in ENDPOINTS))
    hub = open_hub(settings)
    hub.prepare()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with hub.running():
            yield

    return application(hub, ENDPOINTS, lifespan)


def application(hub: Hub, rows: Iterable[Row], lifespan: Any = None) -> Starlette:  # noqa: ANN401 - Starlette's own type is not public
    """Return an application that serves *rows*, any part of the table, on *hub*."""
    rows = tuple(rows)
    hub.contract.describe(operations(rows))
    return Application(hub, resources(hub, rows), lifespan)


def operations(rows: Iterable[Row]) -> tuple[Operation, ...]:
    """Return *rows* as operations of the contract; QUERY of a handler's module has the readers of its parameters."""
    modules = [(method, path, sys.modules[handle.__module__], dialect) for method, path, handle, dialect in rows]
    return tuple(
        Operation(method, path, module.__name__.removeprefix("functions."), getattr(module, "QUERY", {}), dialect.name)
        for method, path, module, dialect in modules
    )
