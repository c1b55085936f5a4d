"""The storage port: everything durable, behind one interface. Callers know no file, no folder and no lock.

An engine decides nothing: which write is allowed, what is let in and what a federated index says is decided above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from shared.model.lines import ChangeLine
    from shared.model.record import Record
    from shared.model.registration import Registration
    from shared.model.source_update import SourceUpdate, StoredSource
    from shared.model.spans import Span
    from shared.storage import Store
    from shared.storage.archive import RestoreTarget, Snapshot


class Head(NamedTuple):
    """What is stored of the edition that was served last.

    Its serial, when it was generated (RFC 3339), the digest of its contents (*substance*), and *since* when it has each
    of its troubles (RFC 3339). Serial 0 is that of a hub that has served nothing yet.
    """

    serial: int = 0
    generated_at: str = ""
    substance: str = ""
    since: dict[str, str] = {}  # noqa: RUF012 - never changed


class StoredEdition(NamedTuple):
    """The head of the last edition, and the change lines that lead to it, the oldest first; some may be missing."""

    head: Head
    lines: Sequence[ChangeLine]


class Turn(Protocol):
    """The permission to publish one composition; while one is out, nobody else has another."""

    async def publish(self, head: Head, lines: Sequence[ChangeLine]) -> None:
        """Make the serial of *head* one that is never given again; raise StorageUnavailable and change nothing.

        *lines* are all change lines from now on, that of *head* the last; empty where what led to it is not known.
        """
        ...


class Editions(Protocol):
    """The editions of the federated index: serial, change lines, one composition at a time."""

    def load(self) -> StoredEdition:
        """Return the edition that was served last; raise StartError for a damaged file. Nothing is written."""
        ...

    def begin(self, head: Head, lines: Sequence[ChangeLine]) -> None:
        """Publish as ``Turn.publish`` does, without an event loop: for the start."""
        ...

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """Return a context in which nobody else composes."""
        ...


class RunningSeconds(NamedTuple):
    """For how many seconds the hub *ran* over all its starts, and *watched* its sources (see ``RunningTime``)."""

    ran: float = 0.0
    watched: float = 0.0


class StoredSources(NamedTuple):
    """How long the hub had been *running* when that was recorded, and what is stored of each of *sources*, by repo."""

    running: RunningSeconds
    sources: Mapping[str, StoredSource]


class Holdings(Protocol):
    """Contents and states of sources. What of them is let in, and which of it counts at a start, is decided above."""

    def load(self, registrations: Iterable[Registration]) -> StoredSources:
        """Return what is stored of *registrations*; raise StartError for a damaged file. Nothing is written."""
        ...

    async def settle(self, update: SourceUpdate, is_current: Callable[[], bool]) -> bool:
        """Store *update* as a whole and return True; return False and change nothing where it does not count.

        That is where it is outdated, or this process is on duty no longer.

        *is_current* tells whether what the update was decided by is still so: registration, served and held content. It
        is called once all is ready, and nothing is awaited between its answer and the return. Of two calls for one repo
        at most one writes content at a time. Raise StorageUnavailable and change nothing.
        """
        ...

    async def save_records(self, records: Sequence[Record], running: RunningSeconds) -> None:
        """Make *records* durable in the place of those of the same repos, and for how long the hub has *running*.

        What was settled before is durable then too. Raise StorageUnavailable; then all of it is tried again.
        """
        ...

    async def secure(self) -> None:
        """Make contents and states that were settled survive a power cut; raise StorageUnavailable.

        The rest of a record, such as the date of a check, may wait for ``save_records``.
        """
        ...

    def forget(self, repo: str, *, held_only: bool = False) -> None:
        """Remove all that is stored of *repo*, or with *held_only* just its held content."""
        ...

    def ignore(self, repo: str, *, held_only: bool = False) -> None:
        """Have ``tidy`` remove the contents that ``load`` gave of *repo*, or only the held one: they do not count."""
        ...

    def tidy(self, repos: Collection[str]) -> None:
        """Remove the contents of all repos but *repos*, and those that ``ignore`` named."""
        ...


class TimelineStore(Protocol):
    """How many sources were in each state over the last 30 days. It is worth less than anything else that is kept."""

    def load(self) -> list[Span]:
        """Return what was recorded; nothing, and a warning in the log, where that can't be read."""
        ...

    async def save(self, spans: Sequence[Span]) -> None:
        """Replace the recorded spans by *spans*; raise StorageUnavailable.

        Where the caller is cancelled, a write that has begun is finished, and one that waits for a thread is dropped.
        """
        ...


class Duty(Protocol):
    """Which of the processes that share an engine checks the sources.

    Only the one on duty begins checks, stores their updates and keeps the timeline. The others serve, and may write
    registrations.
    """

    @property
    def mine(self) -> bool:
        """Whether this process is on duty now, from memory; it may change between two calls."""
        ...


class SoleDuty(Duty):
    """Of an engine that one process holds at a time: that one is always on duty."""

    mine = True


class Engine(Protocol):
    """All that is durable. The parts are there once it is open."""

    registrations: Store
    editions: Editions
    timeline: TimelineStore
    holdings: Holdings
    duty: Duty

    @property
    def folder(self) -> Path | None:
        """The folder whose volume everything lies on; None where the engine has none."""
        ...

    def open(self) -> None:
        """Read what is stored, and keep other processes out; raise StartError. Nothing stored changes by it."""
        ...

    def prepare(self) -> None:
        """Make sure that writing is possible and clear away what a crash left behind; raise StartError."""
        ...

    def health(self) -> str:
        """Return ``ok``, or what is wrong, in words for people."""
        ...

    async def snapshot(self, made_at: str) -> Snapshot:
        """Return everything as of one moment between two writes, *made_at* (RFC 3339); raise StorageUnavailable."""
        ...

    def at_rest(self) -> AbstractContextManager[Snapshot]:
        """Return a context with everything that is kept, in the place of ``open``; nothing changes by it.

        A hub that runs is asked for a snapshot instead: raise StartError where one runs or begins within. Raise it too
        where nothing is kept, and for what can't be read or trusted, as a start would.
        """
        ...

    def restore_target(self) -> AbstractContextManager[RestoreTarget]:
        """Return a context, in the place of ``open``, that fills this engine from a backup.

        What was put counts once the context ends, and nothing of it where that ends by an error. Raise StartError where
        another process holds the engine, something is kept already, or what is put can't be written.
        """
        ...

    def release(self) -> None:
        """Let the next process in. Every part is closed by then."""
        ...
