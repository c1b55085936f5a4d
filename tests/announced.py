"""Sources that a test announces, in the place of the hub's own exchanges with them."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx
import respx
from respx.mocks import AbstractRequestMocker


class Announced(AbstractRequestMocker):
    """Answers in the place of the hub's own exchanges what a test announced, and fails for every other URL."""

    name = "exchange"
    targets: ClassVar[list[str]] = ["shared.fetch.exchange.Exchange"]
    target_methods: ClassVar[list[str]] = ["ask"]

    @classmethod
    def to_httpx_request(cls, **asked: Any) -> httpx.Request:
        """Return what is asked."""
        return httpx.Request("GET", asked["url"], headers=asked["headers"])

    @classmethod
    async def from_async_httpx_response(
        cls, httpx_response: httpx.Response, target: object, **asked: object  # noqa: ARG003 - respx's
    ) -> httpx.Response:
        """Return what is answered, unread."""
        answered = httpx_response
        return httpx.Response(answered.status_code, headers=answered.headers.raw, stream=answered.stream)


def announcing() -> respx.MockRouter:
    """Return what stands in for every source, as a context; it fails for a URL that was not announced to it."""
    return respx.mock(assert_all_called=False, using=Announced.name)
