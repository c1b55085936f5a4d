"""Who may write: the bearer token of a request (RFC 6750), compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from shared.auth.tokens import OPERATOR, Token, TokensFile
from shared.model.author import Author
from shared.problems import BadQuery, ReadOnly, Unauthorized
from shared.problems.requests import CHALLENGE
from shared.web.query import pairs

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from shared.clock import Clock
    from shared.web.limits import Limits

_REFUSED = "it can't be used, the log says why; the tokens read before go on to count, also those taken out since"
_IN_THE_URL = ("access_token", "token", "authorization")


def _digest(token: str) -> bytes:
    # Digests have one length, so that comparing them tells nothing about the token's.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Auth:
    """Knows the tokens: the operator's, and those of a file. Without any the hub is read-only."""

    def __init__(self, operator_token: str | None, clock: Clock, limits: Limits, file: Path | None = None) -> None:
        """Know *operator_token*, an admin's, and the tokens of *file*; raise StartError where that can't be used."""
        self._operator = () if operator_token is None else (Token(OPERATOR, _digest(operator_token), None),)
        self._clock = clock
        self._limits = limits
        self._file = None if file is None else TokensFile(file, clock)

    def file_refused(self) -> bool | None:
        """Tell whether the tokens file can't be used as it is now; None where none is configured."""
        return None if self._file is None else self._file.refused()

    def checks(self) -> dict[str, str]:
        """Return what readiness says of the tokens file, where there is one: never what stands in it."""
        refused = self.file_refused()
        return {} if refused is None else {"tokens_file": _REFUSED if refused else "ok"}

    def require_writer(self, request: Request) -> Author:
        """Return who is writing, or raise ReadOnly (no token is configured), Unauthorized or TooManyRequests.

        What that one may write is checked where the write is decided: Author.must_own.
        """
        tokens = (*self._operator, *(self._file.tokens() if self._file else ()))
        if not tokens:
            raise ReadOnly("No token is configured on this hub, so nothing can be changed.")
        digest = _digest(_sent(request))
        # Each is compared, also after one was found: the time tells nothing about which.
        matching = [token for token in tokens if hmac.compare_digest(digest, token.digest)]
        if not matching:
            self._limits.count_wrong_token(request)
            raise unauthorized("This token is not one of this hub's.", "invalid_token")
        token = matching[0]
        if token.expires_at is not None and token.expires_at <= self._clock.now():
            raise unauthorized(f"The token {token.name} has expired.", "invalid_token")
        # For the log, which names who asked also where that one is refused later on.
        request.scope["token_name"] = token.name
        return Author(token.name, request.scope.get("request_id"), token.grant)

    def require_admin(self, request: Request) -> Author:
        """Return who is writing as ``require_writer`` does; raise Forbidden for one who may not write everything."""
        author = self.require_writer(request)
        author.must_be_admin()
        return author


def _sent(request: Request) -> str:
    """Return the token that was sent, good or not; raise Unauthorized where there is none, BadQuery if in the URL."""
    if any(name in _IN_THE_URL for name, _ in pairs(request)):
        raise BadQuery("Send the token in the Authorization header. URLs are kept in logs: replace this token.")
    sent = request.headers.getlist("authorization")
    if not sent:
        raise unauthorized("Send Authorization: Bearer TOKEN.")
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":
        raise unauthorized("Send one Authorization header, of the scheme Bearer.")
    return token.strip()


def unauthorized(detail: str, error: str = "") -> Unauthorized:
    """Return the problem with its challenge; *error* only where a token was sent (RFC 6750 §3.1)."""
    challenge = f'{CHALLENGE}, error="{error}"' if error else CHALLENGE
    return Unauthorized(detail, headers={"WWW-Authenticate": challenge})
