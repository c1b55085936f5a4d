"""The problem types (RFC 9457): every failure that a caller can act on.

A class is a type of problem: its slug never changes once released, its title is the same for every occurrence. An
instance is an occurrence: its detail says what happened and what to do next. Raise it where the fault is noticed; the
router renders it. Each type has a page at /problems/{slug}, made of its docstring (what it
means) and *remedy* (what to do).

    Problem
    +-- what is wrong with a request (4xx), what the hub can't do now (5xx)
    +-- SourceProblem: what is wrong with a source; never an answer by itself, always the ``error`` of a source
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.problems.base import Offence, Problem, StartError
from shared.problems.clients import HeadTooLarge, MalformedRequest, Overloaded, RequestTimeout, TooManyRequests
from shared.problems.hub import (
    FederationIncomplete,
    InternalError,
    NotShownYet,
    RegistrationsFull,
    SearchTimeout,
    StorageUnavailable,
)
from shared.problems.requests import (
    BadQuery,
    BodyTooLarge,
    CapabilityNotFound,
    Forbidden,
    HeldReplaced,
    InvalidRegistration,
    MalformedBody,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    NothingHeld,
    PreconditionFailed,
    ReadOnly,
    RepoDisabled,
    RepoExists,
    RepoNotFound,
    SerialGone,
    Unauthorized,
    UnsupportedMediaType,
    UrlRegistered,
)
from shared.problems.sources import (
    AddressRefused,
    HubFull,
    InvalidIndex,
    SourceNotAnIndex,
    SourceProblem,
    SourceRedirect,
    SourceStatus,
    SourceTimeout,
    SourceTooLarge,
    SourceUnchecked,
    SourceUnreachable,
    remedy_after,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "PROBLEMS",
    "AddressRefused",
    "BadQuery",
    "BodyTooLarge",
    "CapabilityNotFound",
    "FederationIncomplete",
    "Forbidden",
    "HeadTooLarge",
    "HeldReplaced",
    "HubFull",
    "InternalError",
    "InvalidIndex",
    "InvalidRegistration",
    "MalformedBody",
    "MalformedRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "NotShownYet",
    "NothingHeld",
    "Offence",
    "Overloaded",
    "PreconditionFailed",
    "Problem",
    "ReadOnly",
    "RegistrationsFull",
    "RepoDisabled",
    "RepoExists",
    "RepoNotFound",
    "RequestTimeout",
    "SearchTimeout",
    "SerialGone",
    "SourceNotAnIndex",
    "SourceProblem",
    "SourceRedirect",
    "SourceStatus",
    "SourceTimeout",
    "SourceTooLarge",
    "SourceUnchecked",
    "SourceUnreachable",
    "StartError",
    "StorageUnavailable",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
    "UrlRegistered",
    "remedy_of",
]


def _types(base: type[Problem]) -> Iterable[type[Problem]]:
    for kind in base.__subclasses__():
        # A class without a slug is a group of types, such as SourceProblem.
        if hasattr(kind, "slug"):
            yield kind
        yield from _types(kind)


PROBLEMS: dict[str, type[Problem]] = {kind.slug: kind for kind in _types(Problem)}
"""Every type of problem by its slug."""


def remedy_of(slug: str, http_status: int | None) -> str:
    """Return what to do about a source whose last check failed with *slug* after an answer of *http_status*."""
    if slug not in PROBLEMS:
        # A newer version wrote it, before somebody went back to this one.
        return "Refresh the source: this version then says what is wrong with it, and what to do."
    return remedy_after(http_status) if slug == SourceStatus.slug else PROBLEMS[slug].remedy
