"""A hub that serves a few capabilities of two repos, for the tests of how others find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.builders import capability, index, refresh, register, searchable, url_of

if TYPE_CHECKING:
    import httpx
    import respx

OWN = "urn:air:example.org:weather:now"
HUB = "urn:air:reuse-surface.invalid"
WEATHER = capability(
    1, name="Read the weather", summary="Tells how it is outside. And more.", tags=["sky"], identifier=OWN,
    url="https://example.org/SKILL.md", vector="D5 / A4", status="active",
)  # fmt: skip
PAINT = capability(2, name="Paint a house", tags=["craft"])
NOWHERE = capability(3, url="https://[", summary="Voids a catalog where readers are strict.")
TOOL = capability(4, name="Lend a tool", domain="shed")


async def publish(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """Return *client* once everything is served and can be found."""
    upstream.get(url_of("sky")).respond(content=index(WEATHER, PAINT, NOWHERE))
    upstream.get(url_of("shed")).respond(content=index(TOOL))
    for repo in ("sky", "shed"):
        await register(client, repo)
        await refresh(client, repo)
    return await searchable(client)
