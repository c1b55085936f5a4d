"""How failures look under /ard/: the envelope of ARD (its specification, appendix B), not a problem document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.problems import Problem

PREFIX = "/ard/"
_CODES = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RATE_LIMIT_EXCEEDED", 405: "NOT_IMPLEMENTED"}
_FIRST_OF_OURS = 500
_THEIRS, _OURS = "INVALID_ARGUMENT", "INTERNAL_ERROR"
CODES = (_THEIRS, *_CODES.values(), _OURS)
"""Every ``errorCode`` that the hub answers with."""


def envelope(fault: Problem) -> dict[str, str]:
    """Return what *fault* says as ARD says it."""
    other = _OURS if fault.answer_status >= _FIRST_OF_OURS else _THEIRS
    return {"errorCode": _CODES.get(fault.answer_status, other), "message": fault.detail}
