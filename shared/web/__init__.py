"""HTTP: reading requests, making responses, and the ASGI application between clients and handlers.

The names here are for type checkers: the arguments of every handler, and its result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request as Request
    from starlette.responses import Response as Response

    from shared.hub import Hub as Hub
    from shared.web.parameters import Readers as Readers
    from shared.web.query import Parameters as Parameters
