"""Every operation of the OpenAPI document, asked with what its schema allows and with what it forbids.

No answer may be undocumented, and none a fault of the hub. The hub is a real server, and no source can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from router import ENDPOINTS, application, operations
from shared.contract import document
from shared.hub import open_hub
from tests.builders import WRITER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.settings import Settings

CONTRACT = document(operations(ENDPOINTS))
SCHEMA = schemathesis.openapi.from_dict(CONTRACT)
OPERATIONS = [(method, path) for path, item in CONTRACT["paths"].items() for method in item if method in
              {"get", "post", "put", "patch", "delete"}]  # fmt: skip
# A cursor must be one that the hub gave, a URL one that it may read: "allowed" is refused there, and rightly.
MORE_THAN_A_SCHEMA_CAN_SAY = [positive_data_acceptance]
EXAMPLES = max(12, examples().max_examples // 10)


def left_out(path: str) -> list[Any]:
    """Return the checks that do not hold for *path*.

    Pages for people pass over what they do not understand, and what is wrong with a document is what validating tells.
    """
    strict = path.startswith("/v1") and path != "/v1/validate"
    return MORE_THAN_A_SCHEMA_CAN_SAY + ([] if strict else [negative_data_rejection])


class Live:
    """A server of the hub, in a thread and on a loop of its own."""

    def __init__(self, wanted: Settings) -> None:
        self._settings = wanted
        self._server: uvicorn.Server
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._up.wait(20)

    async def _run(self) -> None:
        hub = open_hub(self._settings)
        async with hub.running():
            config = uvicorn.Config(application(hub, ENDPOINTS), port=0, log_config=None, lifespan="off")
            self._server = uvicorn.Server(config)
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started:  # noqa: ASYNC110 - uvicorn sets no event
                await asyncio.sleep(0.01)
            self._up.set()
            await serving

    @property
    def url(self) -> str:
        """Where it listens."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """Stop it."""
        self._server.should_exit = True
        self._thread.join(20)


@pytest.fixture
def live(settings: Settings) -> Iterator[Live]:
    """A hub that takes any number of wrong tokens: among what is tried is that each of them is refused."""
    server = Live(replace(settings, wrong_tokens_per_minute=1_000_000))
    with contextlib.closing(server):
        yield server


@pytest.mark.parametrize("mode", list(GenerationMode), ids=["allowed", "forbidden"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_every_answer_is_documented(live: Live, method: str, path: str, mode: GenerationMode) -> None:
    strategy = SCHEMA[path][method].as_strategy(generation_mode=mode)

    @examples(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=live.url, headers=WRITER, excluded_checks=left_out(path))

    # Where an operation takes nothing, there is nothing to forbid.
    with contextlib.suppress(Unsatisfiable):
        ask()
