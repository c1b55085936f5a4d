"""The server: uvicorn, configured the same on every machine, with bounds on what clients may hold."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from shared.problems import StartError
from shared.server.bounds import AHEAD, ServerBounds, open_files
from shared.server.guard import GuardedProtocol
from shared.server.heap import keep_pauses_short
from shared.server.listening import Handles, bind, described, url_of
from shared.settings import PREFIX, Settings, unknown
from shared.version import VERSION

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from starlette.applications import Starlette

    Factory = Callable[[Settings], Starlette]

SHUTDOWN_SECONDS = 8
"""How long a server that stops waits for the answers that it has begun."""

_WRITABLE = "Writing needs a token."
_log = logging.getLogger("hub.server")


class _Server(uvicorn.Server):
    """Logs its address and settings once it accepts connections, and not before."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and accept connections, then log where the hub is."""
        await super().startup(sockets)
        _introduce(self._settings, sockets or [])

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop; beyond the year 9999, which ``Date`` can't express, answers keep the last ``Date``."""
        try:
            return await super().on_tick(counter)
        except (ValueError, OverflowError):
            return self.should_exit


def run_server(create_app: Factory, host: str, port: int, data_dir: str | None) -> str:
    """Serve the hub that the environment describes until SIGTERM or SIGINT; return its public URL.

    Port 0 is one that the system chooses. *data_dir* outranks the environment. Raise StartError when the hub can't
    start, with nothing left listening.
    """
    for sentence in unknown(os.environ):
        _log.warning("%s", sentence)
    handles = Handles()
    with contextlib.ExitStack() as open_sockets:
        # Bound first, so that the public URL has the port, and a port that is taken ends the start before data is read.
        sockets = [open_sockets.enter_context(listener) for listener in bind(host, port, handles)]
        settings = _settings(os.environ, url_of(host, sockets), data_dir)
        bounds = _bounds(settings, open_files())
        handles.most = bounds.connections.most + AHEAD
        app = create_app(settings)
        keep_pauses_short()
        # uvicorn shuts down on SIGTERM and then raises it again; having been told to stop is no failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        # A client that sends malformed requests could fill the log with uvicorn's warnings.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        _run(_Server(_config(app, bounds), settings), sockets)
    return settings.public


def _run(server: _Server, sockets: list[socket.socket]) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        try:
            server.run(sockets)
        except SystemExit as fault:
            # uvicorn exits so where the application's start failed, and has logged why.
            raise StartError("The hub could not start; the lines before this one say why.") from fault


def _settings(environ: Mapping[str, str], url: str, data_dir: str | None) -> Settings:
    variables = {f"{PREFIX}PUBLIC_URL": url} | {name: text for name, text in environ.items() if text}
    if data_dir is not None:
        variables[f"{PREFIX}DATA_DIR"] = data_dir
    return Settings.from_environment(variables)


def _bounds(settings: Settings, files: int) -> ServerBounds:
    bounds = ServerBounds(settings, files)
    if bounds.connections.most < settings.max_connections:
        most = f"The hub keeps at most {bounds.connections.most:,} connections, and not {settings.max_connections:,}"
        _log.warning("%s (%sMAX_CONNECTIONS): this process may have %d files open.", most, PREFIX, files)
    return bounds


def _config(app: Starlette, bounds: ServerBounds) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # Set explicitly, as is the loop: uvicorn's defaults depend on which libraries are installed.
        http=partial(GuardedProtocol, bounds),  # type: ignore[arg-type]  # what makes a protocol, as a class does
        loop="asyncio",
        lifespan="on",
        ws="none",
        # The hub logs requests itself; uvicorn would format a line for each one also where no handler takes it.
        access_log=False,
        log_config=None,
        server_header=False,
        # shared.web.limits works out the client behind a proxy, from the proxies that the operator named.
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


def _introduce(settings: Settings, sockets: list[socket.socket]) -> None:
    """Log where the hub listens, where its data is, and from which addresses it reads sources."""
    data_dir, ports = str(settings.data_dir.resolve()), ", ".join(map(str, settings.allow_ports))
    read_only = settings.token is None and settings.tokens_file is None
    facts = {
        "version": VERSION,
        "url": settings.public,
        "listening": described(sockets),
        "data_dir": data_dir,
        "read_only": read_only,
        "allow_networks": settings.allow_networks,
    }
    place = f"reuse-surface hub {VERSION} at {settings.public}, listening on {facts['listening']}"
    _log.info("%s", place, extra={"fields": facts})
    writing = f"It is read-only: neither {PREFIX}TOKEN nor {PREFIX}TOKENS_FILE is set." if read_only else _WRITABLE
    _log.info("Its data is in %s. %s", data_dir, writing)
    # What the operator names is exempt from the rule about ports too, as shared.fetch.guard has it.
    exempt = f", and at any port of {', '.join(settings.allow_networks)}" if settings.allow_networks else " only"
    _log.info("Sources may be on public addresses at the ports %s%s.", ports, exempt)
