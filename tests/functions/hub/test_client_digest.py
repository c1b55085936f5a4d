from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.builders import problem

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


async def test_the_line_is_what_sha256sum_checks(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "cli.py").write_bytes((await client.get("/cli.py")).content)
    (tmp_path / "cli.py.sha256").write_bytes((await client.get("/cli.py.sha256")).content)

    checked = subprocess.run(  # noqa: ASYNC221 - it is over at once
        ["sha256sum", "--check", "cli.py.sha256"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout) == (0, "cli.py: OK\n")


async def test_a_known_tag_is_a_304_and_not_that_of_the_file(client: httpx.AsyncClient) -> None:
    answer = await client.get("/cli.py.sha256")
    again = await client.get("/cli.py.sha256", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert (again.status_code, again.content) == (304, b"")
    assert answer.headers["etag"] != (await client.get("/cli.py")).headers["etag"]


async def test_refuses_what_it_does_not_offer(client: httpx.AsyncClient) -> None:
    problem(await client.get("/cli.py.sha256?a=b"), "bad-query")
