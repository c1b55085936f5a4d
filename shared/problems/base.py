"""The base class of all problems, and StartError, which comes before any request."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class StartError(Exception):
    """The hub can't start; the message says why and what to do."""


class Offence(NamedTuple):
    """One fault of a document: its place (JSON Pointer, RFC 6901), and a clause on what is wrong there."""

    pointer: str
    detail: str


class Problem(Exception):  # noqa: N818 - the standard's term, RFC 9457
    """An occurrence of a problem type (RFC 9457 §3); the class is the type.

    *detail* says what happened and what to do; *errors* has every offence of an invalid document; *headers* are
    added to the answer; *status* overrides the HTTP status of the type.
    """

    slug: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: Iterable[Offence] = (),
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.answer_status = status or self.status

    @classmethod
    def meaning(cls) -> str:
        """Return the meaning of this type, for people: the docstring of its class on one line."""
        return " ".join((cls.__doc__ or "").split())

    def as_json(self, public_url: str, instance: str) -> dict[str, object]:
        """Return the members of an ``application/problem+json`` body.

        *instance* is a path of the hub, without the path of *public_url*, beneath which its reader finds it.
        """
        body: dict[str, object] = {
            "type": f"{public_url}/problems/{self.slug}",
            "title": self.title,
            "status": self.answer_status,
            "detail": self.detail,
            # A reference relative to the host (RFC 9457 §3.1.5): behind a proxy the hub may lie beneath a path.
            "instance": urlsplit(public_url).path + instance,
        }
        if self.errors:
            body["errors"] = [offence._asdict() for offence in self.errors]
        return body
