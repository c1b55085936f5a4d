"""Authentication: the bearer token of a request (RFC 6750), compared in constant time."""

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
    # Digests have one length, so that the time to compare them says nothing about the length of a token.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Auth:
    """Maps the token of a request to its Author. Without any token, operator's or file's, the hub is read-only."""

    def __init__(self, operator_token: str | None, clock: Clock, limits: Limits, file: Path | None = None) -> None:
        """Accept *operator_token*, an admin's, and the tokens of *file*; raise StartError where *file* is unusable."""
        self._operator = () if operator_token is None else (Token(OPERATOR, _digest(operator_token), None),)
        self._clock = clock
        self._limits = limits
        self._file = None if file is None else TokensFile(file, clock)

    def file_refused(self) -> bool | None:
        """Tell whether the tokens file can't be used as it is now; None where none is configured."""
        return None if self._file is None else self._file.refused()

    def checks(self) -> dict[str, str]:
        """Return ``{"tokens_file": "ok" or why not}`` for ``/ready``, empty without a file; no content of the file."""
        refused = self.file_refused()
        return {} if refused is None else {"tokens_file": _REFUSED if refused else "ok"}

    def require_writer(self, request: Request) -> Author:
        """Return the author of the write that *request* asks for.

        Raise ReadOnly (no token is configured), Unauthorized (no, a wrong or an expired token), BadQuery (a token in
        the URL) or TooManyRequests (too many wrong tokens from one address). Whether the author may write this repo is
        checked where the write is decided, by Author.must_own.
        """
        tokens = (*self._operator, *(self._file.tokens() if self._file else ()))
        if not tokens:
            raise ReadOnly("No token is configured on this hub, so nothing can be changed.")
        digest = _digest(_sent(request))
        # All are compared, also after a match, so that the time does not say which token matched.
        matching = [token for token in tokens if hmac.compare_digest(digest, token.digest)]
        if not matching:
            self._limits.count_wrong_token(request)
            raise unauthorized("This token is not one of this hub's.", "invalid_token")
        token = matching[0]
        if token.expires_at is not None and token.expires_at <= self._clock.now():
            raise unauthorized(f"The token {token.name} has expired.", "invalid_token")
        # The log names the token of a request also where a later check refuses it.
        request.scope["token_name"] = token.name
        return Author(token.name, request.scope.get("request_id"), token.grant)

    def require_admin(self, request: Request) -> Author:
        """Return the author as ``require_writer`` does; raise Forbidden as well, unless the token is an admin's."""
        author = self.require_writer(request)
        author.must_be_admin()
        return author


def _sent(request: Request) -> str:
    """Return the bearer token of *request*, unverified; raise Unauthorized without one, BadQuery for one in the URL."""
    if any(name in _IN_THE_URL for name, _ in pairs(request)):
        raise BadQuery("Send the token in the Authorization header. URLs are kept in logs: replace this token.")
    fields = request.headers.getlist("authorization")
    if not fields:
        raise unauthorized("Send Authorization: Bearer TOKEN.")
    scheme, _, token = fields[0].partition(" ")
    # Of two headers a proxy may have checked the other one.
    if len(fields) > 1 or scheme.lower() != "bearer":
        raise unauthorized("Send one Authorization header, of the scheme Bearer.")
    return token.strip()


def unauthorized(detail: str, error: str = "") -> Unauthorized:
    """Return the problem with its challenge in ``WWW-Authenticate``; *error* only for a bad token (RFC 6750 §3.1)."""
    challenge = f'{CHALLENGE}, error="{error}"' if error else CHALLENGE
    return Unauthorized(detail, headers={"WWW-Authenticate": challenge})
