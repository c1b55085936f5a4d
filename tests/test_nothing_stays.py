"""What a client sent goes with its request: nothing of it waits for a garbage collection, which may never look there.

What lives while all garbage is collected is looked at again only when the heap has doubled (shared/server/heap.py).
"""

from __future__ import annotations

import gc
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from router import ENDPOINTS, application
from shared.hub import open_hub
from shared.settings import Settings
from tests.builders import TOKEN, Hands, index, registration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, MutableMapping
    from pathlib import Path

    from starlette.applications import Starlette

MARK = b"sent-by-a-client"
PLACES = {"repo": "a", "id": "b", "domain": "d", "file": "f", "name": "n", "slug": "s"}
PLACES["identifier"] = "urn:air:x.example:y"
BODIES = {
    "no body": b"",
    "no JSON": b"{" + MARK,
    "another document": json.dumps({"description": MARK.decode()}).encode(),
    "a registration": json.dumps(registration(repo="a", description=MARK.decode())).encode(),
    "an index": index({"id": "a", "name": MARK.decode(), "summary": 7}),
}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    limits = {"wrong_tokens_per_minute": 10**6, "validations_per_minute": 10**6}
    settings = Settings(data_dir=tmp_path, public_url="http://hub", token=TOKEN, refresh=False, **limits)  # type: ignore[arg-type]
    hub = open_hub(settings, Hands().clock())
    async with hub.running():
        yield application(hub, ENDPOINTS)


@pytest.fixture
def without_collections() -> Iterator[None]:
    """Have garbage lie where it falls, and see all of it."""
    with warnings.catch_warnings():
        # What other tests left open is not what is looked for.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.disable()
    # Each look is at what came since.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


async def ask(app: Starlette, method: str, path: str, body: bytes, token: str) -> None:
    """Send one request."""
    bearer = f"Bearer {token}".encode()
    sent = [(b"x-padding", MARK), (b"authorization", bearer), (b"content-type", b"application/json")]
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "state": {},
        "headers": sent, "client": ("192.0.2.1", 50000),
        "server": ("hub", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(_: MutableMapping[str, Any]) -> None:
        return None

    await app(scope, receive, send)


def left() -> list[str]:
    """Return the types of all garbage that leads to what a client sent."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
    finally:
        gc.set_debug(0)
    kinds = {type(one).__name__ for one in gc.garbage if _leads_to_mark(one)}
    gc.garbage.clear()
    gc.collect()
    return sorted(kinds)


def _leads_to_mark(one: object) -> bool:
    if isinstance(one, bytes | bytearray):
        return MARK in one
    if isinstance(one, str):
        return MARK.decode() in one
    # What the collector follows itself is garbage of its own.
    return any(_leads_to_mark(other) for other in gc.get_referents(one) if not gc.is_tracked(other))


@pytest.mark.parametrize("token", [TOKEN, "no-token-of-this-hub"], ids=["a good token", "a wrong token"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.usefixtures("without_collections")
async def test_nothing_that_was_sent_waits_for_a_collection(app: Starlette, body: bytes, token: str) -> None:
    left()
    found = {}
    for method, path, *_ in ENDPOINTS:
        await ask(app, method, path.format_map(PLACES), body, token)
        if kinds := left():
            found[f"{method} {path}"] = kinds

    assert found == {}
