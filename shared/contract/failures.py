"""The failures of operations in the OpenAPI document, made of the classes of problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.problems import PROBLEMS
from shared.web.dialect import envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

_HUB = "https://reuse.coulomb.social"
_TOKEN = ("unauthorized", "read-only", "forbidden", "too-many-requests", "storage-unavailable")
_BODY = ("body-too-large", "unsupported-media-type")
_FULL = 507
_WHEN_FULL = ("storage-unavailable", "not-shown-yet")
_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After"}


class Failures:
    """Makes the responses of failures; *responses* holds each once, by the names of its problems.

    *examples* gives the detail and instance of an occurrence, by the slug of its problem.
    """

    def __init__(self, examples: dict[str, Any]) -> None:
        self._examples = examples
        self.responses: dict[str, Any] = {}

    def of(self, dialect: str, said: dict[str, Any]) -> dict[str, Any]:
        """Return the responses of an operation, by status; *dialect* names its own, *said* is what is written of it."""
        by_status: dict[int, list[str]] = {}
        for slug in dict.fromkeys(_slugs(said)):
            by_status.setdefault(PROBLEMS[slug].status, []).append(slug)
        if refused := [slug for slug in by_status.get(503, ()) if slug in _WHEN_FULL]:
            by_status[_FULL] = refused
        return {str(status): self._response(dialect, status, sorted(by_status[status])) for status in sorted(by_status)}

    def _response(self, dialect: str, status: int, slugs: list[str]) -> dict[str, str]:
        name = "-or-".join(slugs) + ("-when-full" if status == _FULL else "")
        if dialect == "ard":
            name, content = f"ard-{name}", self._as_ard_says(slugs)
        else:
            content = self._as_problem(slugs)
            if dialect == "page":
                name = f"page-{name}"
                content["text/html"] = {"schema": {"$ref": "#/components/schemas/Html"}}
        meanings = [f"{PROBLEMS[slug].meaning()} (`{slug}`)" for slug in slugs]
        made = {"description": "\n\n".join(meanings), "content": content}
        if status in _HEADERS:
            header = _HEADERS[status]
            made["headers"] = {header: {"$ref": f"#/components/headers/{header}"}}
        self.responses[name] = made
        return {"$ref": f"#/components/responses/{name}"}

    def _as_problem(self, slugs: list[str]) -> dict[str, Any]:
        examples = {slug: {"value": self._example(slug)} for slug in slugs if slug in self._examples}
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
        return {"application/problem+json": {**schema, **({"examples": examples} if examples else {})}}

    def _example(self, slug: str) -> dict[str, Any]:
        kind = PROBLEMS[slug]
        about = {"type": f"{_HUB}/problems/{slug}", "title": kind.title, "status": kind.status}
        return {**about, **self._examples[slug]}

    def _as_ard_says(self, slugs: list[str]) -> dict[str, Any]:
        faults = [PROBLEMS[slug](PROBLEMS[slug].meaning()) for slug in slugs]
        examples = {fault.slug: {"value": envelope(fault)} for fault in faults}
        return {"application/json": {"schema": {"$ref": "#/components/schemas/ArdError"}, "examples": examples}}


def _slugs(said: dict[str, Any]) -> Iterator[str]:
    """Yield the problems that an operation can answer with: those written for it, and those of all that are like it."""
    yield from said.get("problems", ())
    if said.get("token"):
        yield from _TOKEN
    if "body" in said:
        yield from _BODY
    # Any of them, where the machine has no handle or memory left for what it reads first.
    yield "overloaded"
    yield "internal-error"
