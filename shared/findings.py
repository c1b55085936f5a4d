"""Everything wrong that a person should see, each with what to do: made from what is known, with no reading."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from shared.federation import dates
from shared.problems import PROBLEMS, HubFull
from shared.sources.held import vanishing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.federation import Federation
    from shared.sources.life import Sources
    from shared.sources.source import Source

SEVERITIES = ("error", "warning", "info")
KINDS = {
    "failed": "error",
    "stale": "warning",
    "held": "warning",
    "never-fetched": "info",
    "hub-full": "error",
    "invalid-entry": "error",
    "conflict": "warning",
    "missing-required": "error",
}
"""Every kind of finding with its severity; a conflict of entries that say the same is only ``info``."""

_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. *pointer*, *line* and *column* say where in the index, when it is about an entry."""

    kind: str
    severity: str
    repo: str
    since: str
    detail: str
    action: str
    pointer: str | None = None
    line: int | None = None
    column: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what ``GET /v1/findings`` shows; a place that there is none of is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def key(self) -> str:
        """Return what orders findings: the gravest first, then by repo, kind and place."""
        place = f"{self.line or 0:07}{self.column or 0:07}"
        rest = hashlib.blake2s(f"{self.pointer} {self.detail}".encode(), digest_size=8).hexdigest()
        return " ".join((str(SEVERITIES.index(self.severity)), self.repo, self.kind, place, rest))


class Findings:
    """The findings of the sources and of the federated index, made anew only when something changed."""

    def __init__(self, sources: Sources, federation: Federation) -> None:
        self._sources = sources
        self._federation = federation
        self._made: tuple[tuple[int, int], list[Finding]] = ((-1, -1), [])

    def all(self) -> list[Finding]:
        """Return every finding, in the order of their keys."""
        moment = self._sources.generation, self._federation.document.serial
        if self._made[0] != moment:
            sources = self._sources.all().values()
            found = [finding for source in sources for finding in _of_source(source)]
            self._made = moment, sorted([*found, *_of_index(self._federation)], key=Finding.key)
        return self._made[1]


def _finding(kind: str, repo: str, since: str | None, detail: str, action: str) -> Finding:
    return Finding(
        kind=kind, severity=KINDS[kind], repo=repo, since=since or "", detail=detail, action=action.format(repo=repo)
    )


def _of_source(source: Source) -> Iterator[Finding]:
    repo, status = source.registration.repo, source.status
    if status.state == "disabled":
        return
    if status.state == "never":
        action = "Wait, or have it fetched now: POST /v1/repos/{repo}/refresh."
        yield _finding("never-fetched", repo, status.state_since, "The index has not been fetched yet.", action)
    if status.error is not None:
        yield _failing(source)
    for mark in source.marks:
        yield Finding(
            kind="invalid-entry",
            severity=KINDS["invalid-entry"],
            repo=repo,
            since=mark.since,
            detail=f"{mark.pointer or 'The index'} {mark.detail}.",
            action=mark.hint or "Mend it in the index, and push.",
            pointer=mark.pointer,
            line=mark.line,
            column=mark.column,
        )
    if source.held is not None:
        yield _held(source)


def _failing(source: Source) -> Finding:
    """Say what the last check failed with, and what is served meanwhile."""
    status, error = source.status, source.status.error or {}
    kind = "hub-full" if error["type"] == HubFull.slug else status.state
    served = f"What was good at {status.succeeded_at} stays served" if source.served else "Nothing of it is served"
    detail = f"{error['detail']} {served}; failed checks in a row: {status.consecutive_failures}."
    since = source.failing_since or status.state_since
    return _finding(kind, source.registration.repo, since, detail, PROBLEMS[error["type"]].remedy)


def _held(source: Source) -> Finding:
    held, kept = source.held, source.kept
    assert held is not None  # noqa: S101 - asked for only then
    assert kept is not None  # noqa: S101 - only what would replace something is held
    gone = vanishing(kept.content, held.kept.content)
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    detail = f"{len(gone)} of {len(kept.content.entries)} entries would vanish: {', '.join(gone[:_NAMED])}{more}."
    since = source.status.state_since if source.status.state == "held" else held.kept.changed_at
    action = (
        "If that is meant, let it in: POST /v1/repos/{repo}/accept; else publish the whole index again. It gets in by "
        "itself when every check of 24 hours has seen it."
    )
    return _finding("held", source.registration.repo, since, detail, action)


def _of_index(federation: Federation) -> Iterator[Finding]:
    document, since = federation.document, federation.since
    for repo in document.missing_required:
        detail = "The federated index is incomplete: this repo is required, and nothing of it is served."
        action = "See what else is found about it; or register it as not required: PATCH /v1/repos/{repo}."
        yield _finding("missing-required", repo, since.get(dates.missing(repo), document.generated_at), detail, action)
    for conflict in federation.edition.composition.conflicts:
        for other in conflict["others"]:
            yield _conflict(federation, conflict["id"], conflict["repo"], other)


def _conflict(federation: Federation, entry_id: str, winner: str, other: dict[str, Any]) -> Finding:
    trouble = dates.disputed(entry_id, winner, other["repo"])
    says = "says the same" if other["identical"] else "says something else"
    return Finding(
        kind="conflict",
        severity="info" if other["identical"] else KINDS["conflict"],
        repo=other["repo"],
        since=federation.since.get(trouble, federation.document.generated_at),
        detail=f"{winner}, registered earlier, publishes {entry_id} too; its entry is served. This one {says}.",
        action=f"Agree with {winner} on one owner; the other takes the entry out, or gives it an id of its own.",
    )
