from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


async def test_lets_everyone_in_and_names_the_catalog(client: httpx.AsyncClient) -> None:
    answer = await client.get("/robots.txt")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[:2] == ["User-agent: *", "Allow: /"]
    assert "Agentmap: http://hub/.well-known/ard.json" in lines
    assert (await client.get("/.well-known/ard.json")).status_code == 200
