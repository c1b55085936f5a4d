"""A finding: one cause of trouble of one repo, its kind, and what to do about it in the API and on the pages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SEVERITIES = ("error", "warning", "info")
KINDS = {
    "failed": "error",
    "stale": "warning",
    "waiting": "warning",
    "held": "warning",
    "never-fetched": "info",
    "hub-full": "error",
    "invalid-entry": "error",
    "conflict": "warning",
    "missing-required": "error",
    "limit-near": "warning",
}
"""Every kind of finding with its severity; a conflict of entries that say the same is only ``info``."""

_MOST_NAMES = 20
_TELLING = {
    kind: rank
    for rank, kind in enumerate(
        (
            *("hub-full", "invalid-entry", "held", "failed", "stale", "waiting", "never-fetched"),
            *("missing-required", "conflict", "limit-near"),
        )
    )
}
"""Of the findings of one repo, those that tell most come first."""
_IN_API = {
    "refresh": "POST /v1/repos/{repo}/refresh",
    "accept": "POST /v1/repos/{repo}/accept",
    "enable": 'PATCH /v1/repos/{repo} with {{"enabled": true}}',
    "optional": 'PATCH /v1/repos/{repo} with {{"required": false}}',
}
_ON_PAGES = {
    "refresh": "“Check it now” on the page of {repo}",
    "accept": "“Accept what is held” on the page of {repo}",
    "enable": "“Enable” on the page of {repo}",
    "optional": "reuse-surface hub update --repo {repo} --required false",
}
"""How each remedy is called where it is read: a request in the API, a button or a command on pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause of trouble of one repo, or of the hub as a whole where *repo* is empty.

    *also* are the other kinds that it amounts to, such as ``missing-required``. *domain* is the repo's, None once it is
    deregistered. *faults* are all places of an index that it is about, as JSON; *pointer*, *line* and *column* are the
    first of them. *action* names requests of the API, *on_page* the buttons of the pages.
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
        """The kind of the finding, and the kinds in *also*."""
        return (self.kind, *self.also)

    def as_json(self) -> dict[str, Any]:
        """Return the object of ``GET /v1/findings``, without members that are None or empty."""
        # Not asdict, which would copy each of up to a hundred faults deeply.
        members = {name: getattr(self, name) for name in _JSON_FIELDS}
        return {name: value for name, value in members.items() if value is not None and value != ()}

    def key(self) -> str:
        """Return a sort key: the gravest first, then by repo, and in a repo by how much the kind explains."""
        # Hashed, because a key is part of a cursor in a URL, and a detail may be long.
        rest = hashlib.blake2s(f"{self.pointer} {self.detail}".encode(), digest_size=8).hexdigest()
        return " ".join((str(SEVERITIES.index(self.severity)), self.repo, f"{_TELLING[self.kind]:02}", rest))


_JSON_FIELDS = tuple(field.name for field in fields(Finding) if field.name != "on_page")


def finding_of(kind: str, repo: str, since: str | None, detail: str, action: str) -> Finding:
    """Return a finding whose *action* names remedies in braces, each as it is called where it is read."""
    in_api, on_page = (
        action.format(**{name: text.format(repo=repo) for name, text in names.items()})
        for names in (_IN_API, _ON_PAGES)
    )
    severity = KINDS[kind]
    return Finding(
        kind=kind, severity=severity, repo=repo, since=since or "", detail=detail, action=in_api, on_page=on_page
    )


def first_names(ids: Sequence[str]) -> str:
    """Return the first _MOST_NAMES of *ids* as text, and how many more there are."""
    more = f" and {len(ids) - _MOST_NAMES:,} more" if len(ids) > _MOST_NAMES else ""
    return f"{', '.join(ids[:_MOST_NAMES])}{more}"
