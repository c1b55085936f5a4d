"""HTTP: reading requests, making responses, and the ASGI application between clients and handlers.

The package imports nothing at run time, so that a module which reads parameters does not load starlette; ``Request`` is
for type checkers. Handlers import ``shared.web.handling``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request as Request
