"""The status of a source, and how each check changes it. Pure: callers pass the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from shared.problems import SourceUnchecked

if TYPE_CHECKING:
    from shared.problems import SourceProblem

State = Literal["never", "fresh", "stale", "failed", "held", "disabled"]
STATES: tuple[State, ...] = ("never", "fresh", "stale", "failed", "held", "disabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a source as ``GET /v1/repos`` shows it. Times are RFC 3339; *error* is ``{"type", "detail"}``.

    *digest*, *changed_at* and *capability_count* tell of the content that is served, *held_digest* of what the shrink
    guard holds in its place, *bytes* of the last index that was sent and in order, held or served. *http_status* and
    *duration_ms* tell of the last check: for how long it talked to the source, redirects included, and not how long it
    waited for its turn or read the document.
    """

    state: State = "never"
    state_since: str | None = None
    checked_at: str | None = None
    succeeded_at: str | None = None
    changed_at: str | None = None
    next_check_at: str | None = None
    consecutive_failures: int = 0
    error: dict[str, Any] | None = None
    http_status: int | None = None
    digest: str | None = None
    bytes: int | None = None
    duration_ms: int | None = None
    capability_count: int = 0
    held_digest: str | None = None

    def checked(self, now: str, http_status: int | None, size: int | None, duration_ms: int) -> Status:
        """Return the status after a check at *now* that found the content in order: an old error is cleared.

        *size* is None where nothing new was sent.
        """
        return replace(
            self,
            checked_at=now,
            succeeded_at=now,
            consecutive_failures=0,
            error=None,
            http_status=http_status,
            duration_ms=duration_ms,
            bytes=self.bytes if size is None else size,
        )

    def succeeded(self, now: str) -> Status:
        """Return the status of a source whose content was found in order at *now*: an old error is cleared."""
        return replace(self, succeeded_at=now, consecutive_failures=0, error=None)

    def failed(self, now: str, problem: SourceProblem, duration_ms: int) -> Status:
        """Return the status after a check that failed with *problem*."""
        return replace(
            self,
            checked_at=now,
            duration_ms=duration_ms,
            http_status=problem.source_status,
            consecutive_failures=self.consecutive_failures + 1,
            error={"type": problem.slug, "detail": problem.detail},
        )

    def moved(self) -> Status:
        """Return the status after the URL was changed: without the facts of checks, with those of the content."""
        return replace(
            self,
            checked_at=None,
            next_check_at=None,
            consecutive_failures=0,
            error=None,
            http_status=None,
            duration_ms=None,
        )

    def left_out(self, problem: SourceProblem, since: str) -> Status:
        """Return the status of a source whose content, of *since*, a start found no room for: there is none of it."""
        return replace(
            self,
            checked_at=self.checked_at or since,
            changed_at=None,
            digest=None,
            capability_count=0,
            error={"type": problem.slug, "detail": problem.detail},
        )

    def doubted(self, why: str | None) -> Status:
        """Return the status with the error that the source is unchecked, because of *why*; None takes that error away.

        The error of a check that failed stays.
        """
        if self.error is not None and not self.unchecked:
            return self
        error = {"type": SourceUnchecked.slug, "detail": why} if why else None
        return self if error == self.error else replace(self, error=error)

    @property
    def unchecked(self) -> bool:
        """Whether the error is that nobody has checked the source."""
        return self.error is not None and self.error["type"] == SourceUnchecked.slug

    def settled(
        self, state: State, now: str, *, held_digest: str | None = None, next_check_at: str | None = None
    ) -> Status:
        """Return the status in *state*, with what is held and when it is read next; ``state_since`` moves with it."""
        # A state that stays keeps its date, also over a change of what is held.
        since = now if state != self.state or self.state_since is None else self.state_since
        return replace(self, state=state, state_since=since, held_digest=held_digest, next_check_at=next_check_at)


def state_of(status: Status, *, enabled: bool, has_content: bool, held: bool, outlived: bool) -> State:
    """Return the state by these facts; *outlived* content is too old to be served, since no check found it in order."""
    if not enabled:
        return "disabled"
    # Content counts as a check: a source that was moved to another URL goes on being served before the first one.
    if status.checked_at is None and not has_content:
        return "never"
    if status.error is None and has_content and not outlived:
        return "held" if held else "fresh"
    return "stale" if has_content and not outlived else "failed"


SERVED: frozenset[State] = frozenset({"fresh", "stale", "held"})
"""The states in which a source's last good content is in the federated index."""
