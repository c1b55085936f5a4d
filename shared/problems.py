"""Every failure that a caller can act on, as RFC 9457 knows it.

A class is a type of problem: its slug never changes once released, its title is the same for every occurrence. An
instance is an occurrence: its detail says what happened and what to do next. Raise it where the fault is noticed; the
router renders it. Each type has a page at /problems/{slug}, made of its docstring (what it
means) and *remedy* (what to do).

    Problem
    +-- what is wrong with a request (4xx), what the hub can't do now (5xx)
    +-- SourceProblem: what is wrong with a source; never an answer by itself, always the ``error`` of a source
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class StartError(Exception):
    """The hub can't start; the message says why and what to do."""


class Offence(NamedTuple):
    """One thing that is wrong in a document: where (JSON Pointer, RFC 6901) and what."""

    pointer: str
    detail: str


class Problem(Exception):  # noqa: N818 - the standard's term, RFC 9457
    """An answerable failure; *errors* holds every offence of an invalid document."""

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
        """Return what this type of problem means, for people."""
        return " ".join((cls.__doc__ or "").split())

    def as_json(self, public_url: str, instance: str) -> dict[str, object]:
        """Return the members of an ``application/problem+json`` body."""
        body: dict[str, object] = {
            "type": f"{public_url}/problems/{self.slug}",
            "title": self.title,
            "status": self.answer_status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.errors:
            body["errors"] = [offence._asdict() for offence in self.errors]
        return body


class MalformedBody(Problem):
    """The body is not one strict JSON document in UTF-8.

    It is cut off, nests too deeply, repeats a key, or holds NaN, an infinity or a lone surrogate. Nothing was
    stored.
    """

    slug = "malformed-body"
    status = 400
    title = "The body can't be read"
    remedy = "Send one JSON object, encoded by a JSON library."


class BadQuery(Problem):
    """A query parameter is unknown to this endpoint, given twice, or has a value that it can't have."""

    slug = "bad-query"
    status = 400
    title = "The query is not understood"
    remedy = "Compare the parameters with the endpoint's entry in /openapi.json."


class Unauthorized(Problem):
    """Reading is open to everyone; writing needs a token, and none, or an unknown one, was sent."""

    slug = "unauthorized"
    status = 401
    title = "A token is needed"
    remedy = "Send the header Authorization: Bearer TOKEN with a token that the hub's operator gave you."


class ReadOnly(Problem):
    """No token is configured, so nobody can write."""

    slug = "read-only"
    status = 403
    title = "This hub is read-only"
    remedy = "The operator starts the hub with REUSE_SURFACE_TOKEN set to a token of at least 20 characters."


class NotFound(Problem):
    """The hub serves nothing under this path."""

    slug = "not-found"
    status = 404
    title = "There is nothing here"
    remedy = "All paths are listed in /openapi.json."


class RepoNotFound(Problem):
    """No repository is registered under this name."""

    slug = "repo-not-found"
    status = 404
    title = "No such repo"
    remedy = "GET /v1/repos lists the names. A repo is registered by POST /v1/repos."


class MethodNotAllowed(Problem):
    """The path exists, but not with this method."""

    slug = "method-not-allowed"
    status = 405
    title = "The method is not offered here"
    remedy = "The Allow header of the answer names the methods of the path."


class NotAcceptable(Problem):
    """The Accept header admits none of the media types that this endpoint offers."""

    slug = "not-acceptable"
    status = 406
    title = "No acceptable representation"
    remedy = "Ask for application/json, or leave the Accept header out."


class RepoExists(Problem):
    """POST /v1/repos registers new names only; this one is taken."""

    slug = "repo-exists"
    status = 409
    title = "The repo is registered already"
    remedy = "Change the registration with PATCH, or replace it with PUT /v1/repos/{repo}."


class UrlRegistered(Problem):
    """Another repo publishes its index at the same URL; URLs are compared in their normal form."""

    slug = "url-registered"
    status = 409
    title = "The URL is registered already"
    remedy = "Update or deregister the other repo, or register the URL of your own index."


class RepoDisabled(Problem):
    """A disabled source is not fetched."""

    slug = "repo-disabled"
    status = 409
    title = "The repo is disabled"
    remedy = 'Enable it first: PATCH /v1/repos/{repo} with {"enabled": true}.'


class PreconditionFailed(Problem):
    """If-Match names a revision that is not the present one. Nothing was changed."""

    slug = "precondition-failed"
    status = 412
    title = "The registration has changed"
    remedy = "Read the registration again and repeat the change with its new ETag."


class BodyTooLarge(Problem):
    """The body is larger than this endpoint takes."""

    slug = "body-too-large"
    status = 413
    title = "The body is too large"
    remedy = "A registration is a few hundred bytes; the index itself stays at its URL."


class UnsupportedMediaType(Problem):
    """The body's Content-Type, or a Content-Encoding, is not one that this endpoint reads."""

    slug = "unsupported-media-type"
    status = 415
    title = "The content type is not supported"
    remedy = "Send Content-Type: application/json and no Content-Encoding."


class InvalidRegistration(Problem):
    """One or more fields break a rule; errors lists all of them. Nothing was stored."""

    slug = "invalid-registration"
    status = 422
    title = "The registration is invalid"
    remedy = "Mend every field that errors points at. The rules are at /schemas/hub-registration."


class InternalError(Problem):
    """A fault of the hub itself; its log has the details."""

    slug = "internal-error"
    status = 500
    title = "The hub failed"
    remedy = "Try again later; tell the operator the time and the path if it persists."


class FederationIncomplete(Problem):
    """A required source has nothing to serve, and the caller asked for a complete index or none."""

    slug = "federation-incomplete"
    status = 503
    title = "The federated index is incomplete"
    remedy = "Read without strict=true, or see in GET /v1/repos?state=failed what the missing source lacks."


class StorageUnavailable(Problem):
    """The volume did not take the change (507 when it is full). What was stored before is intact."""

    slug = "storage-unavailable"
    status = 503
    title = "The hub can't write"
    remedy = "Try again later; the operator finds the cause in the hub's log."


class SourceProblem(Problem):
    """What is wrong with a source: the last check's ``error``, told to whoever reads about the source."""

    status = 502

    def __init__(self, detail: str, *, source_status: int | None = None) -> None:
        super().__init__(detail)
        self.source_status = source_status


class SourceUnreachable(SourceProblem):
    """Its name does not resolve, nothing answers at its address, or the connection broke."""

    slug = "source-unreachable"
    title = "The source can't be reached"
    remedy = "Check that the URL opens from the internet without signing in."


class SourceTimeout(SourceProblem):
    """The index did not arrive within 20 seconds."""

    slug = "source-timeout"
    title = "The source is too slow"
    remedy = "Publish the index as a static file."


class SourceStatus(SourceProblem):
    """Only 200, or 304 to a conditional request, brings an index."""

    slug = "source-status"
    title = "The source answered with an error"
    remedy = "Check that the URL is the raw file's and that the file exists on that branch."


class SourceRedirect(SourceProblem):
    """At most 3 redirects are followed, and never from https to http."""

    slug = "source-redirect"
    title = "The source redirects where the hub does not follow"
    remedy = "Register the URL where the redirects end. The hub sends no credentials: publish a raw URL."


class SourceTooLarge(SourceProblem):
    """An index may have 5 MiB (after decompression) and 20,000 capabilities."""

    slug = "source-too-large"
    title = "The source is too large"
    remedy = "Keep bodies in their own files, or split the repository's index."


class SourceNotAnIndex(SourceProblem):
    """The URL answers with something else, such as a web page or a sign-in form."""

    slug = "source-not-an-index"
    title = "The source is not an index"
    remedy = "Register the raw URL of the YAML file, one that opens without signing in."


class InvalidIndex(SourceProblem):
    """The document breaks rules of /schemas/capability-index. The last good content stays served."""

    slug = "invalid-index"
    title = "The index is invalid"
    remedy = "Mend what the error names, line by line, and push."


class AddressRefused(SourceProblem):
    """The hub reads only from publicly routable addresses on the usual web ports.

    Its operator can allow a host or network with REUSE_SURFACE_ALLOW_NETWORKS.
    """

    slug = "address-refused"
    title = "The address is not allowed"
    remedy = "Publish the index at a public URL, or ask the operator."


def _types(base: type[Problem]) -> Iterable[type[Problem]]:
    for kind in base.__subclasses__():
        if hasattr(kind, "slug"):
            yield kind
        yield from _types(kind)


PROBLEMS: dict[str, type[Problem]] = {kind.slug: kind for kind in _types(Problem)}
"""Every type of problem by its slug."""
