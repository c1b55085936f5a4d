"""Everything wrong that a person should see, each with what to do: made from what is known, with no reading."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.federation import dates
from shared.problems import HubFull, remedy_of
from shared.sources.held import vanishing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.federation import Federation
    from shared.sources.life import Sources
    from shared.sources.memory import Mark
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
_TELLING = {
    kind: rank
    for rank, kind in enumerate(
        ("hub-full", "invalid-entry", "held", "failed", "stale", "never-fetched", "missing-required", "conflict")
    )
}
"""Of the findings of one repo, those that tell most come first."""
_IN_API = {
    "refresh": "POST /v1/repos/{repo}/refresh",
    "accept": "POST /v1/repos/{repo}/accept",
    "optional": 'PATCH /v1/repos/{repo} with {{"required": false}}',
}
_ON_PAGES = {
    "refresh": "“Check it now” on the page of {repo}",
    "accept": "“Accept what is held” on the page of {repo}",
    "optional": "reuse-surface hub update --repo {repo} --required false",
}
"""How each remedy is called where it is read: a request in the API, a button or a command on pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause of trouble of one repo. *also* are the other kinds that it amounts to, such as ``missing-required``.

    *domain* is the repo's, None once it is deregistered. *faults* are all places of an index that it is about, as
    JSON; *pointer*, *line* and *column* are the first of them. *action* names requests of the API, *on_page* the
    buttons of the pages.
    """

    kind: str
    severity: str
    repo: str
    since: str
    detail: str
    action: str
    on_page: str = ""
    domain: str | None = None
    also: tuple[str, ...] = ()
    pointer: str | None = None
    line: int | None = None
    column: int | None = None
    faults: tuple[dict[str, Any], ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that the finding stands for."""
        return (self.kind, *self.also)

    def as_json(self) -> dict[str, Any]:
        """Return what ``GET /v1/findings`` shows; what there is none of is left out."""
        said = {name: value for name, value in asdict(self).items() if value is not None and value != ()}
        del said["on_page"]
        return said

    def key(self) -> str:
        """Return what orders findings: the gravest first, then by repo, and of a repo the one that tells most."""
        rest = hashlib.blake2s(f"{self.pointer} {self.detail}".encode(), digest_size=8).hexdigest()
        return " ".join((str(SEVERITIES.index(self.severity)), self.repo, f"{_TELLING[self.kind]:02}", rest))


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
            found = {repo: list(_of_source(source)) for repo, source in self._sources.all().items()}
            for repo in self._federation.document.missing_required:
                _note_missing(self._federation, repo, found.setdefault(repo, []))
            of_sources = [finding for those in found.values() for finding in those]
            domains = {repo: source.registration.domain for repo, source in self._sources.all().items()}
            every = [*of_sources, *_conflicts(self._federation)]
            named = [replace(finding, domain=domains.get(finding.repo)) for finding in every]
            self._made = moment, sorted(named, key=Finding.key)
        return self._made[1]


def by_repo(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return *findings*, which are in the order of their keys, repo by repo.

    The repos with the gravest come first, among those the ones whose gravest finding is the newest.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.repo, []).append(finding)
    newest = sorted(groups.values(), key=lambda those: those[0].since, reverse=True)
    return sorted(newest, key=lambda those: SEVERITIES.index(those[0].severity))


def _finding(kind: str, repo: str, since: str | None, detail: str, action: str) -> Finding:
    in_api, on_page = (
        action.format(**{name: text.format(repo=repo) for name, text in names.items()})
        for names in (_IN_API, _ON_PAGES)
    )
    severity = KINDS[kind]
    return Finding(
        kind=kind, severity=severity, repo=repo, since=since or "", detail=detail, action=in_api, on_page=on_page
    )


def _of_source(source: Source) -> Iterator[Finding]:
    repo, status = source.registration.repo, source.status
    if status.state == "disabled":
        return
    if status.state == "never":
        action = "Have it checked now: {refresh}. A hub that checks in the background does so by itself."
        yield _finding("never-fetched", repo, status.state_since, "The index has not been fetched yet.", action)
    if status.error is not None:
        yield _failing(source)
    if source.held is not None:
        yield _held(source)


def _failing(source: Source) -> Finding:
    """Say what the last check failed with, where in the index that is, and what is served meanwhile."""
    status, error = source.status, source.status.error or {}
    full = error["type"] == HubFull.slug
    served = f"The content of {status.succeeded_at} stays in use" if source.served else "Nothing of it is served"
    rest = f"{served}; failed checks in a row: {status.consecutive_failures}."
    repo, since = source.registration.repo, source.failing_since or status.state_since
    kind = HubFull.slug if full else status.state
    remedy = remedy_of(error["type"], status.http_status)
    finding = _finding(kind, repo, since, f"{error['detail']} {rest}", remedy.replace("{", "{{").replace("}", "}}"))
    if not source.marks:
        return replace(finding, also=(status.state,)) if full else finding
    return _faulty(finding, source.marks, rest)


def _faulty(finding: Finding, marks: Sequence[Mark], rest: str) -> Finding:
    """Return *finding* as that of an index with faults at *marks*; the first of them tells what to do first."""
    first, more = marks[0], len(marks) - 1
    others = f" {more:,} more {'fault' if more == 1 else 'faults'}." if more else ""
    action = first.hint or "Correct the index and publish it again; check it before with POST /v1/validate."
    return replace(
        finding,
        kind="invalid-entry",
        severity=KINDS["invalid-entry"],
        also=(finding.kind,),
        detail=f"{first.pointer or 'The index'} {first.detail}.{others} {rest}",
        action=action,
        on_page=action.replace("with POST /v1/validate", "on the page Register"),
        pointer=first.pointer,
        line=first.line,
        column=first.column,
        faults=tuple(_fault(mark) for mark in marks),
    )


def _fault(mark: Mark) -> dict[str, Any]:
    told = {name: getattr(mark, name) for name in ("line", "column", "pointer", "detail", "since")}
    return told | ({"hint": mark.hint} if mark.hint else {})


def _held(source: Source) -> Finding:
    held, kept = source.held, source.kept
    assert held is not None  # noqa: S101 - asked for only then
    assert kept is not None  # noqa: S101 - only what would replace something is held
    gone = vanishing(kept.content, held.kept.content)
    detail = f"{len(gone):,} of {len(kept.content.entries):,} entries would vanish: {_named(gone)}."
    if held.loss is not None:
        lost, before = held.loss
        detail += f" With what left within 24 hours it would be {lost:,} of {before:,}."
    since = source.status.state_since if source.status.state == "held" else held.kept.changed_at
    action = (
        "If that is meant, let it in: {accept}; else publish the whole index again. It gets in by "
        "itself when every check of 24 hours has seen it."
    )
    return _finding("held", source.registration.repo, since, detail, action)


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return f"{', '.join(ids[:_NAMED])}{more}"


def _note_missing(federation: Federation, repo: str, found: list[Finding]) -> None:
    """Say in *found*, what is known about *repo*, that the federated index is incomplete; beside the cause, if any."""
    for place, finding in enumerate(found):
        if finding.kind != "held":
            detail = f"{finding.detail} The federated index is incomplete, because this repo is required."
            also = (*finding.also, "missing-required")
            found[place] = replace(finding, severity="error", detail=detail, also=also)
            return
    since = federation.since.get(dates.missing(repo), federation.document.generated_at)
    detail = "The federated index is incomplete: this repo is required, and nothing of it is served."
    action = "Enable the repo if it is disabled, or register it as not required: {optional}."
    found.append(_finding("missing-required", repo, since, detail, action))


def _conflicts(federation: Federation) -> Iterator[Finding]:
    """Yield one finding for each repo and each other one that serves ids which it claims too."""
    lost: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for conflict in federation.edition.composition.conflicts:
        for other in conflict["others"]:
            lost.setdefault((other["repo"], conflict["repo"]), []).append((conflict["id"], other["identical"]))
    for (loser, winner), ids in lost.items():
        yield _conflict(federation, loser, winner, ids)


def _conflict(federation: Federation, loser: str, winner: str, ids: list[tuple[str, bool]]) -> Finding:
    names, differing = [name for name, _ in ids], [name for name, same in ids if not same]
    if len(ids) == 1:
        detail = f"{winner}, registered earlier, publishes {names[0]} too; its entry is served. "
        detail += "This one says something else." if differing else "This one says the same."
    else:
        detail = f"{winner}, registered earlier, publishes {len(ids):,} ids of this repo too; its entries are served: "
        detail += f"{_named(names)}. "
        detail += f"{len(differing):,} of this repo's say something else." if differing else "This repo's say the same."
    action = f"Agree with {winner} on one owner; the other takes the entry out, or gives it an id of its own."
    troubles = [dates.disputed(name, winner, loser) for name in names]
    since = min(federation.since.get(trouble, federation.document.generated_at) for trouble in troubles)
    finding = _finding("conflict", loser, since, detail, action)
    return finding if differing else replace(finding, severity="info")
