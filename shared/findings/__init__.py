"""Everything wrong that a person should see, each with what to do: made from what is known, with no reading."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from shared.federation.edition import disputed, missing
from shared.findings.finding import KINDS, SEVERITIES, Finding, finding_of, first_names
from shared.findings.source import of_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.capacity import NearLimit
    from shared.federation import Edition
    from shared.model.source import SourceView

__all__ = ["KINDS", "SEVERITIES", "Finding", "ServedEdition", "by_repo", "every", "of_limit"]

_LIMITS = {
    "registrations": "Deregister what is no longer needed, or raise REUSE_SURFACE_MAX_REGISTRATIONS.",
    "capabilities": "Have sources publish less, or raise REUSE_SURFACE_MAX_CAPABILITIES with the memory of the hub.",
    "mib": "Have sources publish less, or raise REUSE_SURFACE_MAX_MIB with the memory of the hub.",
    "memory": "Raise the memory limit of the hub's container before the system ends it.",
}
"""What to do about each limit that is neared."""
_UNITS = {"registrations": "registrations", "capabilities": "capabilities", "mib": "MiB of capabilities"}
_SINGULARS = {"registrations": "registration", "capabilities": "capability"}


class ServedEdition(NamedTuple):
    """The edition that is served at one moment, and *since* when it has each of its troubles (RFC 3339)."""

    edition: Edition
    since: dict[str, str]


def every(sources: Mapping[str, SourceView], federation: ServedEdition) -> list[Finding]:
    """Return every finding about *sources* and about what *federation* serves, in the order of their keys."""
    by_source = {repo: list(of_source(source)) for repo, source in sources.items()}
    for repo in federation.edition.document.missing_required:
        source = sources.get(repo)
        off = source is not None and not source.registration.enabled
        action = "Enable it: {enable}; or register" if off else "Have it checked: {refresh}; or register"
        _note_missing(federation, repo, by_source.setdefault(repo, []), f"{action} it as not required: {{optional}}.")
    of_sources = [finding for those in by_source.values() for finding in those]
    domains = {part.repo: part.registration.domain for part in federation.edition.parts}
    domains |= {repo: source.registration.domain for repo, source in sources.items()}
    without_domain = [*of_sources, *_conflicts(federation)]
    findings = [replace(finding, domain=domains.get(finding.repo)) for finding in without_domain]
    return sorted(findings, key=Finding.key)


def of_limit(near: NearLimit) -> Finding:
    """Return the finding about a limit of the hub of which most is in use."""
    limit, (used, most), since = near
    unit = _UNITS.get(limit, "MiB of memory")
    detail = f"{used / most:.0%} of a limit is in use: {used:,.0f} of {most:,.0f} {unit}."
    if round(most) == 1 and limit in _SINGULARS:
        detail = f"A limit is used up: it admits 1 {_SINGULARS[limit]}, and 1 is there."
    return finding_of("limit-near", "", since, detail, _LIMITS[limit])


def by_repo(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return *findings*, which are in the order of their keys, repo by repo.

    The repos with the gravest come first, among those the ones whose gravest finding is the newest.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.repo, []).append(finding)
    newest = sorted(groups.values(), key=lambda those: those[0].since, reverse=True)
    return sorted(newest, key=lambda those: SEVERITIES.index(those[0].severity))


def _note_missing(federation: ServedEdition, repo: str, of_repo: list[Finding], action: str) -> None:
    """Add to *of_repo*, the findings about *repo*, that the federated index is incomplete.

    The finding that is its cause gets the kind; without one there is a new finding with *action*.
    """
    for place, finding in enumerate(of_repo):
        if finding.kind != "held":
            detail = f"{finding.detail} The federated index is incomplete, because this repo is required."
            also = (*finding.also, "missing-required")
            of_repo[place] = replace(finding, severity="error", detail=detail, also=also)
            return
    since = federation.since.get(missing(repo), federation.edition.document.generated_at)
    detail = "The federated index is incomplete: this repo is required, and nothing of it is served."
    of_repo.append(finding_of("missing-required", repo, since, detail, action))


def _conflicts(federation: ServedEdition) -> Iterator[Finding]:
    """Yield one finding for each repo and each other one that serves ids which it claims too."""
    claims: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for conflict in federation.edition.composition.conflicts:
        for other in conflict["others"]:
            claims.setdefault((other["repo"], conflict["repo"]), []).append((conflict["id"], other["identical"]))
    for (loser, winner), ids in claims.items():
        yield _conflict(federation, loser, winner, ids)


def _conflict(federation: ServedEdition, loser: str, winner: str, ids: list[tuple[str, bool]]) -> Finding:
    names, differing = [name for name, _ in ids], [name for name, same in ids if not same]
    if len(ids) == 1:
        detail = f"{winner}, registered earlier, publishes {names[0]} too; its entry is served. "
        detail += "This one says something else." if differing else "This one says the same."
    else:
        detail = f"{winner}, registered earlier, publishes {len(ids):,} ids of this repo too; its entries are served: "
        detail += f"{first_names(names)}. "
        other = f"{len(differing):,} of this repo's {'says' if len(differing) == 1 else 'say'} something else."
        detail += other if differing else "This repo's say the same."
    action = f"Agree with {winner} on one owner; the other takes the entry out, or gives it an id of its own."
    troubles = [disputed(name, winner, loser) for name in names]
    since = min(federation.since.get(trouble, federation.edition.document.generated_at) for trouble in troubles)
    finding = finding_of("conflict", loser, since, detail, action)
    return finding if differing else replace(finding, severity="info")
