"""The responses of failures in the OpenAPI document, generated from the classes of problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.problems import PROBLEMS
from shared.web.dialect import envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

_HUB = "https://reuse.coulomb.social"
# Problems that an operation has because it needs a token, because it has a body, and with the status 507.
_TOKEN = ("unauthorized", "read-only", "forbidden", "too-many-requests", "storage-unavailable")
_BODY = ("body-too-large", "unsupported-media-type")
_FULL = 507
_WHEN_FULL = ("storage-unavailable", "not-shown-yet")
_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After"}


class Failures:
    """Makes the responses of failures; *responses* collects each once, as a component named by its slugs.

    *examples* has the ``detail`` and ``instance`` of an occurrence, by the slug of its problem.
    """

    def __init__(self, examples: dict[str, Any]) -> None:
        self._examples = examples
        self.responses: dict[str, Any] = {}

    def of(self, dialect: str, annotation: dict[str, Any]) -> dict[str, Any]:
        """Return references to the responses of an operation by status, such as ``{"404": {"$ref": …}}``.

        *dialect* is the name of its dialect, *annotation* its part of schemas/openapi.yaml. Raise LookupError for a
        problem that there is not.
        """
        by_status: dict[int, list[str]] = {}
        for slug in dict.fromkeys(_slugs(annotation)):
            if slug not in PROBLEMS:
                raise LookupError(f"schemas/openapi.yaml names the problem {slug}, which shared/problems/ has not.")
            by_status.setdefault(PROBLEMS[slug].status, []).append(slug)
        if refused := [slug for slug in by_status.get(503, ()) if slug in _WHEN_FULL]:
            by_status[_FULL] = refused
        return {str(status): self._response(dialect, status, sorted(by_status[status])) for status in sorted(by_status)}

    def _response(self, dialect: str, status: int, slugs: list[str]) -> dict[str, str]:
        name = "-or-".join(slugs) + ("-when-full" if status == _FULL else "")
        if dialect == "ard":
            name, content = f"ard-{name}", self._as_ard(slugs)
        else:
            content = self._as_problem(slugs)
            if dialect == "page":
                name = f"page-{name}"
                content["text/html"] = {"schema": {"$ref": "#/components/schemas/Html"}}
        meanings = [f"{PROBLEMS[slug].meaning()} (`{slug}`)" for slug in slugs]
        response = {"description": "\n\n".join(meanings), "content": content}
        if status in _HEADERS:
            header = _HEADERS[status]
            response["headers"] = {header: {"$ref": f"#/components/headers/{header}"}}
        self.responses[name] = response
        return {"$ref": f"#/components/responses/{name}"}

    def _as_problem(self, slugs: list[str]) -> dict[str, Any]:
        examples = {slug: {"value": self._example(slug)} for slug in slugs if slug in self._examples}
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
        return {"application/problem+json": {**schema, **({"examples": examples} if examples else {})}}

    def _example(self, slug: str) -> dict[str, Any]:
        kind = PROBLEMS[slug]
        about = {"type": f"{_HUB}/problems/{slug}", "title": kind.title, "status": kind.status}
        return {**about, **self._examples[slug]}

    def _as_ard(self, slugs: list[str]) -> dict[str, Any]:
        faults = [PROBLEMS[slug](PROBLEMS[slug].meaning()) for slug in slugs]
        examples = {fault.slug: {"value": envelope(fault)} for fault in faults}
        return {"application/json": {"schema": {"$ref": "#/components/schemas/ArdError"}, "examples": examples}}


def _slugs(annotation: dict[str, Any]) -> Iterator[str]:
    """Yield the slugs of an operation's problems: those of *annotation*, and those of its kind (token, body)."""
    yield from annotation.get("problems", ())
    if annotation.get("token"):
        yield from _TOKEN
    if "body" in annotation:
        yield from _BODY
    # Every operation may find no file handle or memory for what it reads on its first use.
    yield "overloaded"
    yield "internal-error"
