"""The commands of ``cli.py`` that need the hub's own packages; the client, which is one file, calls them by name.

Each imports its packages when it is called: ``serve`` replaces the process first (``run_compiled``), and imports made
before that would be made twice.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.problems.base import Problem, StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.server import Factory

REFUSALS = (StartError, Problem)
"""The exceptions of a command that can't be done; their text is a sentence for people."""

_STARTER = Path(__file__).resolve().parent / "server" / "cli.py"


def run_compiled(name: str) -> None:
    """Replace this process by one whose main file imports cli.py; return where cli.py was not started by its path.

    *name* is the ``__name__`` of cli.py: ``__main__`` where it is the main file itself.

    Python compiles its main file at each start, and for one as large as the client 4 MiB stay in use for good. The
    other main file is called cli.py as well, so that the command line of the process looks the same.
    """
    words = getattr(sys, "orig_argv", [])
    if name == "__main__" and sys.argv[0] in words:
        options = words[1 : words.index(sys.argv[0])]
        os.execv(sys.executable, [sys.executable, *options, str(_STARTER), *sys.argv[1:]])  # noqa: S606 - itself


def serve(load_app: Callable[[], Factory], host: str, port: int, data_dir: str | None) -> str:
    """Run the hub that the environment describes until SIGTERM or SIGINT; return its public URL.

    *load_app* imports and returns the app's factory; it is called when the log is configured. Raise StartError when
    the hub can't start.
    """
    from shared import logs  # noqa: PLC0415 - see above
    from shared.server import run_server  # noqa: PLC0415 - see above

    logs.configure(os.environ.get("REUSE_SURFACE_LOG", "text"))
    return run_server(load_app(), host, port, data_dir)


def back_up(data_dir: str) -> bytes:
    """Return the backup, a tar file, of the stopped hub whose data is in *data_dir*; raise StartError."""
    from shared.backup.restore import back_up  # noqa: PLC0415 - see above

    return back_up(Path(data_dir))


def restore(content: bytes, data_dir: str) -> dict[str, Any]:
    """Restore the backup *content*, a tar file, into an empty *data_dir*; return its facts and the number of ``files``.

    Raise StartError, and leave *data_dir* as it was, where it is in use or not empty, or the backup is damaged.
    """
    from shared.backup.restore import restore  # noqa: PLC0415 - see above

    restored = restore(io.BytesIO(content), Path(data_dir))
    return {**restored.about, "files": restored.files}


def compose(sources: str, cache_dir: str, *, offline: bool, form: str) -> dict[str, Any]:
    """Compose a federated index without a hub; return the report with the ``document``, yaml or json, as text.

    Raise StartError for a manifest *sources* that can't be read or breaks the rules.
    """
    from shared.offline import compose_offline  # noqa: PLC0415 - see above

    return compose_offline(sources, cache_dir, offline=offline, form=form)
