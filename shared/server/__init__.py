"""The hub as a server of its own: uvicorn, the same on every machine, with bounds on what a client may take."""

from __future__ import annotations

import logging
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from shared.logs import configure
from shared.server.bounds import Bounds, open_files
from shared.server.guard import GuardedProtocol
from shared.server.heap import keep_pauses_short
from shared.settings import PREFIX, Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

SHUTDOWN_SECONDS = 8
"""How long a server that was told to stop waits for the answers under way."""


def run_server(create_app: Callable[[Settings], Starlette], host: str, port: int, data_dir: str | None) -> str:
    """Serve the hub that the environment describes until it is told to stop; return its public URL.

    *data_dir* outranks the environment. Raise StartError when the hub can't start.
    """
    shown = f"[{host}]" if ":" in host else host
    environ = {f"{PREFIX}PUBLIC_URL": f"http://{shown}:{port}"} | {k: v for k, v in os.environ.items() if v}
    if data_dir is not None:
        environ[f"{PREFIX}DATA_DIR"] = data_dir
    settings = Settings.from_environment(environ)
    configure(settings.log)
    app = create_app(settings)
    keep_pauses_short()
    print(f"reuse-surface hub {VERSION} at {settings.public}", file=sys.stderr)  # noqa: T201 - for who started it
    # uvicorn shuts down on SIGTERM and then raises it again; having been told to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    # Whoever sends nonsense could fill the log with warnings.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    bounds = Bounds(settings, open_files())
    uvicorn.run(
        app,
        host=host,
        port=port,
        # Named, so that it is the same on every machine, whatever else is installed there.
        http=partial(GuardedProtocol, bounds),  # type: ignore[arg-type]  # what makes a protocol, as a class does
        loop="asyncio",
        ws="none",
        # Never shown, but written together for every request.
        access_log=False,
        log_config=None,
        server_header=False,
        # Who stands behind a proxy is told by shared.limits, from the proxies that the operator named.
        proxy_headers=False,
        timeout_keep_alive=settings.idle_seconds,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return settings.public
