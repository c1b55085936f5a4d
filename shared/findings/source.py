"""The findings of one source, made of its status, the faults of its index, and its held content."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.findings.finding import KINDS, finding_of, first_names
from shared.problems import HubFull, remedy_of
from shared.sources.shrink_guard import vanishing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.findings.finding import Finding
    from shared.model.record import DatedFault
    from shared.model.source import SourceView


def of_source(source: SourceView) -> Iterator[Finding]:
    """Yield the findings of *source*; a disabled one has none."""
    repo, status = source.registration.repo, source.status
    if status.state == "disabled":
        return
    if status.state == "never":
        action = "Have it checked now: {refresh}. A hub that checks in the background does so by itself."
        detail = "The index has not been fetched yet."
        if source.late:
            detail = f"{detail} The first check is long overdue."
            yield finding_of("waiting", repo, status.state_since, detail, _WAITING)
        else:
            yield finding_of("never-fetched", repo, status.state_since, detail, action)
    if status.unchecked:
        yield _unchecked(source)
    elif status.error is not None:
        yield _failing(source)
    if source.held is not None:
        yield _of_held(source)


_WAITING = (
    "Have it checked now: {refresh}. The hub leaves it alone while its host asks for that (Retry-After): next_check_at "
    "says until when."
)


def _unchecked(source: SourceView) -> Finding:
    """Say since when nobody has checked a source, or its new URL, and what is served meanwhile."""
    status, repo = source.status, source.registration.repo
    detail = f"{(status.error or {})['detail']} What was good at {status.succeeded_at} stays served."
    if source.unread:
        return finding_of("stale", repo, status.state_since, detail, "Have the new address checked now: {refresh}.")
    return replace(finding_of("waiting", repo, status.state_since, detail, _WAITING), also=(status.state,))


def _failing(source: SourceView) -> Finding:
    """Say what the last check failed with, where in the index that is, and what is served meanwhile."""
    status, error = source.status, source.status.error or {}
    full = error["type"] == HubFull.slug
    served = f"The content of {status.succeeded_at} stays in use" if source.served else "Nothing of it is served"
    rest = f"{served}; failed checks in a row: {status.consecutive_failures}."
    repo, since = source.registration.repo, source.failing_since or status.state_since
    kind = HubFull.slug if full else status.state
    remedy = remedy_of(error["type"], status.http_status)
    finding = finding_of(kind, repo, since, f"{error['detail']} {rest}", remedy.replace("{", "{{").replace("}", "}}"))
    if not source.faults:
        return replace(finding, also=(status.state,)) if full else finding
    return _faulty(finding, source.faults, rest)


def _faulty(finding: Finding, faults: Sequence[DatedFault], rest: str) -> Finding:
    """Return *finding* as that of an index with *faults*; the first of them tells what to do first."""
    first, more = faults[0], len(faults) - 1
    others = f" {more:,} more {'fault' if more == 1 else 'faults'}." if more else ""
    action = first.hint or "Correct the index and publish it again; check it before with POST /v1/validate."
    return replace(
        finding,
        kind="invalid-entry",
        severity=KINDS["invalid-entry"],
        also=(finding.kind,),
        detail=f"{_sentence(first)}.{others} {rest}",
        action=action,
        on_page=action.replace("with POST /v1/validate", "on the page Register"),
        pointer=first.pointer,
        line=first.line,
        column=first.column,
        faults=tuple(_fault(fault) for fault in faults),
    )


def _sentence(fault: DatedFault) -> str:
    """Return *fault* as a sentence with a subject: its pointer, what its detail begins with, or the index."""
    if fault.pointer:
        return f"{fault.pointer} {fault.detail}"
    if fault.detail.startswith(_PREDICATES):
        return f"The index {fault.detail}"
    return fault.detail[:1].upper() + fault.detail[1:]


_PREDICATES = ("is ", "must ", "has ")
"""How a detail begins that is about the document as a whole, which has no pointer."""


def _fault(fault: DatedFault) -> dict[str, Any]:
    fields = {name: getattr(fault, name) for name in ("line", "column", "pointer", "detail", "since")}
    return fields | ({"hint": fault.hint} if fault.hint else {})


def _of_held(source: SourceView) -> Finding:
    held, last_good = source.held, source.last_good
    assert held is not None  # noqa: S101 - asked for only then
    assert last_good is not None  # noqa: S101 - only what would replace something is held
    vanishing_ids = vanishing(last_good.content, held.stored.content)
    before = len(last_good.content.entries)
    vanish = "The only entry" if before == 1 else f"{len(vanishing_ids):,} of {before:,} entries"
    detail = f"{vanish} would vanish: {first_names(vanishing_ids)}."
    if held.loss is not None:
        missing, most = held.loss
        detail += f" With what left within 24 hours it would be {missing:,} of {most:,}."
    # In another state, such as stale, the date of the state is not that of the hold.
    since = source.status.state_since if source.status.state == "held" else held.stored.changed_at
    action = (
        "If that is meant, let it in: {accept}; else publish the whole index again. It gets in by "
        "itself when every check of 24 hours has seen it."
    )
    return finding_of("held", source.registration.repo, since, detail, action)
