"""How the sources and the federation tell the rest of the hub of each change: a signal, and the notices sent by one.

``Sources`` sends a SourceNotice whenever something about a source changed, ``Federation`` an EditionNotice whenever
another edition is served. Everything that is derived from either listens: it is subscribed in ``shared/hub.py``, once
for each hub, and nowhere else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from shared.shortage import log_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.federation import Edition
    from shared.model.lines import Delta

Notice = TypeVar("Notice")
_log = logging.getLogger("hub.signals")


class SourceNotice(NamedTuple):
    """Something about the source of *repo* changed, its coming and going included.

    *indexed* tells whether the federated index may have to say something else: not where only the account of its last
    check is another.
    """

    repo: str
    indexed: bool

    def __str__(self) -> str:
        return f"a change of {self.repo}"


class EditionNotice(NamedTuple):
    """*edition* is served from now on.

    *delta* names what makes it of the edition that was served before (of none, for the first serial of a hub). It is
    None where that can't be named, as when a start finds other contents: whoever has a copy then takes *edition* whole.
    The serial is greater than that of the notice before, by one or, where *delta* joins those of several, by more.
    """

    edition: Edition
    delta: Delta | None

    def __str__(self) -> str:
        return f"serial {self.edition.document.serial}"


class Signal(Generic[Notice]):
    """Sends each notice to every listener, in the event loop's thread and in the order of the changes.

    It is sent right after the change, in the same step of the loop: a listener finds the sender as the notice says, and
    no other task has run in between. The listeners get one notice in the order in which they were subscribed, and one
    that raises is logged and keeps it from no other. A listener drops what it had made, counts, or wakes a task, and
    returns at once: work that takes time belongs in that task, and it sends nothing by the same signal.
    """

    def __init__(self) -> None:
        self._listeners: list[tuple[str, Callable[[Notice], None]]] = []

    def subscribe(self, name: str, listener: Callable[[Notice], None]) -> None:
        """Have *listener* called with each notice from now on; the log calls it *name*."""
        self._listeners.append((name, listener))

    def send(self, notice: Notice) -> None:
        """Call every listener with *notice*; return when all have returned."""
        for name, listener in self._listeners:
            try:
                listener(notice)
            except Exception as fault:  # noqa: BLE001 - logged; the others have to hear of it all the same
                log_failure(_log, f"telling {name} of {notice} failed", fault)
