"""Problems of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.problems.base import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class SourceProblem(Problem):
    """What is wrong with a source: the last check's ``error``, shown wherever the source is.

    *retry_after* is for how many seconds *host* asks to be left alone (RFC 9110 §10.2.3), 30 s to 1 h, if it does.
    *redirected* tells that another host led there.
    *faults* are all that is wrong with an index, each with its place.
    """

    status = 502

    def __init__(self, detail: str, *, source_status: int | None = None, faults: Sequence[Any] = ()) -> None:
        super().__init__(detail)
        self.source_status = source_status
        self.faults = tuple(faults)
        self.retry_after: float | None = None
        self.host: str | None = None
        self.redirected = False


class SourceUnreachable(SourceProblem):
    """Its name does not resolve, no server answers at its address, or no complete HTTP answer came from it."""

    slug = "source-unreachable"
    title = "The source can't be reached"
    remedy = "Check that the URL opens from where the hub runs, without signing in."


class SourceTimeout(SourceProblem):
    """No connection within 10 seconds, or no complete answer within 20; waiting in the hub is not counted.

    An answer that stops in the middle of a long document may end sooner, when many others have stopped.
    """

    slug = "source-timeout"
    title = "The source is too slow"
    remedy = "Publish the index as a static file."


class SourceStatus(SourceProblem):
    """Only 200, or 304 to a conditional request, brings an index."""

    slug = "source-status"
    title = "The source answered with an error"
    remedy = (
        "After a 404, check that the URL is the raw file's and that the file exists on that branch; after a 401 or "
        "403, publish it where it opens without signing in; after a 5xx, ask whoever runs the server."
    )


_BY_STATUS = {
    401: "Publish the index where it opens without signing in: the hub sends no credentials.",
    403: "Publish the index where it opens without signing in: the hub sends no credentials.",
    404: "Check that the URL is the raw file's, that the file exists on that branch, and that it opens without signing "
    "in: forges answer 404 for private repositories too.",
    410: "Check that the URL is the raw file's and that the file exists on that branch.",
    429: "The server that publishes the index limits requests; let it answer this hub, or check less often "
    "(cache_ttl_seconds).",
}
_SERVER_FAILS = "The server that publishes the index fails; its operator finds the cause in its log."


class SourceRedirect(SourceProblem):
    """At most 10 redirects are followed, and never from https to http."""

    slug = "source-redirect"
    title = "The source redirects where the hub does not follow"
    remedy = "Register the URL where the redirects end. The hub sends no credentials: publish a raw URL."


class SourceTooLarge(SourceProblem):
    """An index may have 5 MiB as sent and unpacked, 262,144 chunks, 96 KiB of headers and 20,000 capabilities.

    Reading it may take 10 s of processor time and 768 MiB.
    """

    slug = "source-too-large"
    title = "The source is too large"
    remedy = "Keep bodies in their own files, or split the repository's index."


class SourceNotAnIndex(SourceProblem):
    """The URL answers with something else, such as a web page or a sign-in form."""

    slug = "source-not-an-index"
    title = "The source is not an index"
    remedy = "Register the raw URL of the YAML file, one that opens without signing in."


class InvalidIndex(SourceProblem):
    """The document breaks rules of /schemas/capability-index.

    The last valid content of the source, if there is any, stays in use, for
    REUSE_SURFACE_MAX_STALE_SECONDS after the last check that succeeded.
    """

    slug = "invalid-index"
    title = "The index is invalid"
    remedy = "Correct each line that the error names, and publish the index again."


class AddressRefused(SourceProblem):
    """The hub reads only from publicly routable addresses on the usual web ports.

    Its operator can allow a host or network with REUSE_SURFACE_ALLOW_NETWORKS.
    """

    slug = "address-refused"
    title = "The address is not allowed"
    remedy = "Publish the index at a public URL, or ask the operator."


class SourceUnchecked(SourceProblem):
    """Nobody has checked the source for twice its cache_ttl_seconds and an hour, or never since its URL was changed.

    The time counts in which the hub ran and checked sources in the background. What was good before stays served, also
    for longer than REUSE_SURFACE_MAX_STALE_SECONDS.
    """

    slug = "source-unchecked"
    title = "The source has not been checked"
    remedy = "Have it checked now: POST /v1/repos/{repo}/refresh, or reuse-surface hub refresh --repo REPO."


class HubFull(SourceProblem):
    """The hub keeps a bounded number of capabilities and of bytes over all sources, and this one would exceed it.

    The last valid content of the source, if there is any, stays in use, for
    REUSE_SURFACE_MAX_STALE_SECONDS after the last check that succeeded. Where the bounds were lowered, a start serves
    what fits, in the order of registration, and nothing of the other sources until there is room.
    """

    slug = "hub-full"
    title = "The hub has no room for the content"
    remedy = "Publish less, or ask the operator for room (REUSE_SURFACE_MAX_CAPABILITIES, REUSE_SURFACE_MAX_MIB)."


def remedy_after(http_status: int | None) -> str:
    """Return what to do about a source that answered *http_status* instead of an index."""
    if http_status is not None and http_status >= 500:  # noqa: PLR2004 - server errors, RFC 9110 §15.6
        return _SERVER_FAILS
    return _BY_STATUS.get(http_status or 0, SourceStatus.remedy)
