"""Problems of a request."""

from __future__ import annotations

from shared.problems.base import Problem

CHALLENGE = 'Bearer realm="reuse-surface"'
"""The challenge in ``WWW-Authenticate`` of an answer that refuses a token (RFC 6750 §3)."""


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
    """Reading is open to everyone; writes and backups need a token; none, an unknown or an expired one was sent."""

    slug = "unauthorized"
    status = 401
    title = "A valid token is needed"
    remedy = "Send the header Authorization: Bearer TOKEN with a token that the hub's operator gave you."


class ReadOnly(Problem):
    """No token is configured on this hub, so every write and every backup is refused."""

    slug = "read-only"
    status = 403
    title = "This hub is read-only"
    remedy = "The operator sets REUSE_SURFACE_TOKEN to a token of at least 20 characters, or REUSE_SURFACE_TOKENS_FILE."


class Forbidden(Problem):
    """The token is valid, but does not cover this repo or domain, or this is reserved to admins' tokens."""

    slug = "forbidden"
    status = 403
    title = "The token does not cover this"
    remedy = "Use the token that registered the repo, or ask the operator for one whose patterns cover it."

    def __init__(self, detail: str) -> None:
        """Say in *detail* what the token does not cover; the challenge names the fault (RFC 6750 §3.1)."""
        super().__init__(detail, headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope"'})


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


class CapabilityNotFound(Problem):
    """The repo is registered, but the content that the hub uses of it has no capability with this id."""

    slug = "capability-not-found"
    status = 404
    title = "No such capability"
    remedy = "GET /v1/capabilities?repo={repo} lists what is served of it: nothing while it is disabled or unread."


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
    remedy = (
        "Update or deregister the other repo, or register the URL of your own index. Where somebody else registered "
        "yours, ask them or the operator; with the key repo in it, an index is read under that name only."
    )


class RepoDisabled(Problem):
    """A disabled source is not fetched."""

    slug = "repo-disabled"
    status = 409
    title = "The repo is disabled"
    remedy = 'Enable it first: PATCH /v1/repos/{repo} with {"enabled": true}.'


class NothingHeld(Problem):
    """Only content that the hub holds back, because many entries would vanish, can be accepted; there is none."""

    slug = "nothing-held"
    status = 409
    title = "Nothing is held"
    remedy = "GET /v1/findings?kind=held lists what is held. Any other valid content is used without being accepted."


class HeldReplaced(Problem):
    """What is held is not what the caller saw: a check brought other content, or somebody accepted it.

    The caller saw what the body of the acceptance names or, without that, what was held when the request came. Nothing
    was let in.
    """

    slug = "held-replaced"
    status = 409
    title = "Other content is held now"
    remedy = "Look at what GET /v1/findings?kind=held says now, and accept that if it is meant."


class SerialGone(Problem):
    """The hub no longer keeps the changes since this serial, or has not reached it yet."""

    slug = "serial-gone"
    status = 410
    title = "The changes since this serial are not known"
    remedy = "Read /v1/federated whole, replace your copy by it, and go on from its serial."


class PreconditionFailed(Problem):
    """If-Match does not name the ETag of the present registration. Nothing was changed."""

    slug = "precondition-failed"
    status = 412
    title = "The registration has changed"
    remedy = "Read the registration again and repeat the change with its new ETag."


class BodyTooLarge(Problem):
    """The body is larger than this endpoint takes."""

    slug = "body-too-large"
    status = 413
    title = "The body is too large"
    remedy = "Send a smaller body. The detail of the refusal says how many bytes this hub takes."


class UnsupportedMediaType(Problem):
    """The body's Content-Type, or a Content-Encoding, is not one that this endpoint reads."""

    slug = "unsupported-media-type"
    status = 415
    title = "The content type is not supported"
    remedy = "Send the Content-Type that /openapi.json names for the endpoint, and no Content-Encoding."


class InvalidRegistration(Problem):
    """One or more fields break a rule; errors lists all of them. Nothing was stored."""

    slug = "invalid-registration"
    status = 422
    title = "The registration is invalid"
    remedy = "Correct every field that errors points at. The rules are at /schemas/hub-registration."
