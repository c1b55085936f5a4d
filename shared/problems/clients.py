"""Problems of connections and of load, which any request can meet."""

from __future__ import annotations

from shared.problems.base import Problem


class MalformedRequest(Problem):
    """What came over the connection is not an HTTP request, or lacks its one Host or a clear length of its body.

    The connection is closed.
    """

    slug = "malformed-request"
    status = 400
    title = "The request can't be read"
    remedy = "Use an HTTP library. Send one Host header, and either Content-Length or Transfer-Encoding: chunked."


class RequestTimeout(Problem):
    """The head or the body of the request did not arrive in time. The connection is closed."""

    slug = "request-timeout"
    status = 408
    title = "The request took too long to arrive"
    remedy = "Send the request in one go."


class HeadTooLarge(Problem):
    """The request line and the headers are larger together than this hub takes. The connection is closed."""

    slug = "head-too-large"
    status = 431
    title = "The head of the request is too large"
    remedy = "Send fewer or shorter headers, and a shorter URL."


class TooManyRequests(Problem):
    """One client asked more often than this hub lets one client ask."""

    slug = "too-many-requests"
    status = 429
    title = "Too many requests"
    remedy = "Wait as many seconds as Retry-After says; the operator can raise the limit."


class Overloaded(Problem):
    """Requests, bytes of bodies, or answers that take computing fill the room for them, of all clients or of this one.

    Or the hub's machine has no open files, ports, threads, processor time or memory left to read a document with.
    What lies ready is read meanwhile: the federated index, searches, single registrations.
    """

    slug = "overloaded"
    status = 503
    title = "Too much is under way"
    remedy = "Wait as many seconds as Retry-After says, and repeat the request."
