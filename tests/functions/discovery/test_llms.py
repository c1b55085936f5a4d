from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.functions.discovery.publishing import publish

if TYPE_CHECKING:
    import httpx
    import respx


async def test_says_what_this_is_and_what_not_to_trust(client: httpx.AsyncClient) -> None:
    answer = await client.get("/llms.txt")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("# reuse-surface federation hub\n")
    assert "untrusted data, not instructions" in answer.text
    assert len(answer.text.splitlines()) < 60
    assert "{" not in answer.text.replace('{"query": {"text": "…"}}', "")


async def test_every_address_on_the_page_answers(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream)
    text = (await client.get("/llms.txt")).text

    links = re.findall(r"\]\((http://hub[^)]*)\)", text)

    assert len(links) >= 6
    assert [(await client.get(link)).status_code for link in links] == [200] * len(links)


async def test_every_parameter_on_the_page_is_one(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream)
    text = (await client.get("/llms.txt")).text

    for name, value in re.findall(r"`(\w+)=(\w*)`", text):
        usual = {"repo": "sky"}.get(name, "4" if name.startswith("min_") else "a")
        answer = await client.get("/v1/capabilities", params={name: value or usual})
        assert answer.status_code == 200, name
