"""Problems of the hub itself, whatever the request is."""

from __future__ import annotations

from shared.problems.base import Problem


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
    remedy = "Read without strict=true, or see in GET /v1/findings?kind=missing-required what the source lacks."


class SearchTimeout(Problem):
    """The search took longer than two seconds, or the search index does not have the last changes yet."""

    slug = "search-timeout"
    status = 503
    title = "The search took too long"
    remedy = "Ask with fewer or rarer words, add a filter, or try again in a few seconds."


class StorageUnavailable(Problem):
    """The change could not be written (507 when the volume is full). What was stored before is intact.

    The detail says so where nothing was changed, and else what may have been.
    """

    in_doubt = False
    """Whether a start after a power failure may find the change that was refused."""
    cause = "the hub can't write to its volume"
    """Why, as a part of a sentence."""
    slug = "storage-unavailable"
    status = 503
    title = "The hub can't write"
    remedy = "Try again later; the operator finds the cause in the hub's log."


class NotShownYet(Problem):
    """The change is made and on disk, but the federated index that shows it could not be written.

    The hub tries again by itself, until the index shows the change. The status is 507 when the volume is full.
    """

    slug = "not-shown-yet"
    status = 503
    title = "Done, but not shown yet"
    remedy = "Don't repeat the request. Read the repo to see the change; the operator finds the cause in the hub's log."


class RegistrationsFull(Problem):
    """No more repos can be registered: there are as many as this hub takes in all, or as many as it takes of one token.

    Nothing was stored. What is registered can be changed as ever.
    """

    slug = "registrations-full"
    status = 409
    title = "There is no room for another registration"
    remedy = (
        "Deregister what is no longer needed, or ask the operator for room (REUSE_SURFACE_MAX_REGISTRATIONS, "
        "REUSE_SURFACE_MAX_REGISTRATIONS_PER_TOKEN)."
    )
