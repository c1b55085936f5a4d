"""Who may write: the bearer token of a request (RFC 6750), compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from shared.problems import ReadOnly, Unauthorized
from shared.store import Author

if TYPE_CHECKING:
    from starlette.requests import Request


def _digest(token: str) -> bytes:
    # Digests have one length, so that comparing them tells nothing about the token's.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Auth:
    """Knows the tokens. Without any the hub is read-only."""

    def __init__(self, operator_token: str | None) -> None:
        self._operator = None if operator_token is None else _digest(operator_token)

    def require_writer(self, request: Request) -> Author:
        """Return who is writing, or raise ReadOnly (no token is configured) or Unauthorized."""
        if self._operator is None:
            raise ReadOnly("No token is configured on this hub, so nothing can be changed.")
        sent = request.headers.getlist("authorization")
        if not sent:
            raise _unauthorized("Send Authorization: Bearer TOKEN.", "")
        scheme, _, token = sent[0].partition(" ")
        if len(sent) > 1 or scheme.lower() != "bearer":
            raise _unauthorized("Send one Authorization header, of the scheme Bearer.", "")
        if not hmac.compare_digest(_digest(token.strip()), self._operator):
            raise _unauthorized("The hub does not know this token.", ', error="invalid_token"')
        return Author("operator", _request_id(request))


def _request_id(request: Request) -> str | None:
    """Return the caller's ``X-Request-ID`` where it is sane: at most 100 visible ASCII characters."""
    sent = request.headers.get("x-request-id", "")
    return sent if re.fullmatch("[!-~]{1,100}", sent) else None


def _unauthorized(detail: str, error: str) -> Unauthorized:
    return Unauthorized(detail, headers={"WWW-Authenticate": f'Bearer realm="reuse-surface"{error}'})
