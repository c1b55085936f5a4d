#!/usr/bin/env python3
"""reuse-surface: the command line of the federation hub.

    cli.py serve [--host 127.0.0.1] [--port 8080] [--data-dir ./data]    run the hub
    cli.py version                                                       print the version

Environment of `serve`: REUSE_SURFACE_DATA_DIR, REUSE_SURFACE_TOKEN and the other settings of the hub.
Exit codes: 0 done, 1 refused, 2 usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

VERSION = "0.1.0"


class Failure(Exception):  # noqa: N818 - a refusal, told to the user
    """What was asked for can't be done; the message says why and what to do."""


def serve_hub(host: str, port: int, data_dir: str | None) -> None:
    """Run the hub until it is told to stop; raise Failure when it can't start."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    try:
        import signal  # noqa: PLC0415

        import uvicorn  # noqa: PLC0415

        from router import create_app  # noqa: PLC0415
        from shared.logs import configure  # noqa: PLC0415
        from shared.problems import StartError  # noqa: PLC0415
        from shared.settings import Settings  # noqa: PLC0415
    except ImportError as fault:
        raise Failure(
            f"the hub's packages are missing ({fault.name}). Clone the repository and run "
            "python3 -m pip install -r requirements.txt in it."
        ) from fault
    shown = f"[{host}]" if ":" in host else host
    environ = {"REUSE_SURFACE_PUBLIC_URL": f"http://{shown}:{port}"} | {k: v for k, v in os.environ.items() if v}
    if data_dir is not None:
        environ["REUSE_SURFACE_DATA_DIR"] = data_dir
    try:
        settings = Settings.from_environment(environ)
        configure(settings.log)
        app = create_app(settings)
    except StartError as fault:
        raise Failure(str(fault)) from fault
    print(f"reuse-surface hub {VERSION} at {environ['REUSE_SURFACE_PUBLIC_URL']}", file=sys.stderr)  # noqa: T201
    # uvicorn shuts down on SIGTERM and then raises it again; having been told to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        app,
        host=host,
        port=port,
        # Named, so that it is the same on every machine, whatever else is installed there.
        http="httptools",
        loop="asyncio",
        ws="none",
        # Never shown, but written together for every request.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=8,
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="reuse-surface", description="The federation hub and its client.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the hub")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8080, help="port to listen on (8080)")
    serve.add_argument("--data-dir", help="folder that holds what the hub knows (./data)")
    commands.add_parser("version", help="print the version")
    args = parser.parse_args(argv)
    if args.command == "version":
        print(VERSION)  # noqa: T201
        return 0
    try:
        serve_hub(args.host, args.port, args.data_dir)
    except Failure as fault:
        print(f"reuse-surface: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
