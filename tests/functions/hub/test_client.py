from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cli
from tests.builders import problem

if TYPE_CHECKING:
    import httpx


CLIENT = Path(cli.__file__).read_bytes()


async def test_answers_the_file_byte_for_byte_with_its_version(client: httpx.AsyncClient) -> None:
    answer = await client.get("/cli.py")

    assert answer.content == CLIENT
    assert answer.headers["content-type"] == "text/x-python; charset=utf-8"
    assert answer.headers["reuse-surface-client-version"] == cli.VERSION


async def test_a_known_tag_is_a_304(client: httpx.AsyncClient) -> None:
    tag = (await client.get("/cli.py")).headers["etag"]

    answer = await client.get("/cli.py", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


async def test_refuses_what_it_does_not_offer(client: httpx.AsyncClient) -> None:
    problem(await client.get("/cli.py?version=1"), "bad-query")
    problem(await client.get("/cli.py", headers={"Accept": "image/png"}), "not-acceptable")
